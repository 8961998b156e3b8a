"""Requests at the gateway: which one is the first of its id, which one repeats it, which one is another."""
