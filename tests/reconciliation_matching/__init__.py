"""Tests of texts, scoring and assigning: how a posting and a line are held against each other."""
