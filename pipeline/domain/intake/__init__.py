"""Upstream events on their way into the log of their state machine."""
