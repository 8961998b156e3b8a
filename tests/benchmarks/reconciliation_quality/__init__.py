"""How well postings and bank lines are matched. See README.md."""
