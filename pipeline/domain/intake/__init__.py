"""Intake: upstream events are forwarded to the log of the stream that applies them."""
