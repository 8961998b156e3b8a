"""Postings and bank lines with known truth; frozen. See README.md."""
