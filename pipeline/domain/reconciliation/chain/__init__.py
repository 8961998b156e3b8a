"""Statements as banks send them: which statement a line belongs to, and their chain."""
