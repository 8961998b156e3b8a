"""How much it says that two texts share a word: tenths of a bit, in whole numbers."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(65536)
def tenths_of_bits(number: int) -> int:
    """Return ten times the binary logarithm of a number from 1 on, rounded down: 10 for 2, 15 for 3."""
    return int((number**10).bit_length() - 1)


def rarity(items_with_it: int, items: int) -> int:
    """Return the information of a word that so many of an account's items have, in tenths of a bit."""
    return max(0, tenths_of_bits(max(items, 1)) - tenths_of_bits(max(items_with_it, 1)))
