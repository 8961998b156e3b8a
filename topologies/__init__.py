"""The streams, one file each, and `app.py`, which puts them together."""
