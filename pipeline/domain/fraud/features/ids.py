"""Ids as numbers of 63 bits, 1 or more: what states and columns have in the place of texts."""

from __future__ import annotations

from hashlib import blake2b

NONE = 0
"""In the place of an id that a payment does not name."""


def id63(text: str) -> int:
    """Return a hash of an id, 1 to 2**63 - 1."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1 or 1
