"""Tests of the desk: rows, index, what an account knows."""
