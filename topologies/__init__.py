"""The streams: one file each, which declares it, and `app.py`, the composition root. See README.md."""
