"""Why a model is refused."""

from __future__ import annotations


class ModelRefused(ValueError):
    """Bytes, or the parts of a model, that are none. The text says where and what."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


def require(holds: bool, where: str, what: str) -> None:
    """Refuse a model in which something does not hold. Raises ModelRefused."""
    if not holds:
        raise ModelRefused(where, what)
