"""Files of postings and bank lines, matched as the reconciliation stream matches."""
