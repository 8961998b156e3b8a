"""Numbers in row keys: text of fixed width whose alphabetical order is the order of the numbers.

A 64-bit number is offset by 2 ** 63, so that it is not negative, and zero-padded to 20 digits.
"""

from __future__ import annotations

from functools import lru_cache

_OFFSET = 2**63
_DIGITS = 20


@lru_cache(4096)
def sortable(number: int) -> str:
    """Return a 64-bit number as text of fixed width that sorts as the number."""
    return f"{number + _OFFSET:0{_DIGITS}d}"


def number_at(key: bytes, start: int) -> int:
    """Return the number whose sortable text begins at position `start` of a row key."""
    return int(key[start : start + _DIGITS]) - _OFFSET
