"""The streams: one file declares each of them; `app.py` is the composition root. See README.md."""
