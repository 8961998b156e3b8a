"""Bank statements matched with the postings of nostro accounts; breaks."""
