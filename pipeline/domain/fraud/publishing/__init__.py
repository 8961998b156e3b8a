"""Rules, lists and models as they come in the log: checked, kept as rows, and put together."""
