"""The error of everything that reads topics or schemas."""


class LogError(RuntimeError):
    """The cluster did not give what it holds; nothing can be said about it."""
