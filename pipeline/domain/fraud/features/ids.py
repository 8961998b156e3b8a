"""Ids as numbers of 63 bits, 1 or more: what states and columns have in the place of texts."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

NONE = 0
"""In the place of an id that a payment does not name."""
KEPT_MAX = 65_536
"""Ids whose numbers are kept: accounts come again."""


def id64(text: str) -> int:
    """Return a hash of a text, 64 bits."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


@lru_cache(KEPT_MAX)
def id63(text: str) -> int:
    """Return a hash of an id, 1 to 2**63 - 1."""
    return id64(text) >> 1 or 1
