"""The life of every payment, and which payments are stuck."""
