"""Tests of the judge of matches: logs worked out by hand, changed logs, and the desk's own."""
