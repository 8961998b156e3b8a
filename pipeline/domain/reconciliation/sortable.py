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


def amount_prefixes(amount_minor: int, tolerance_minor: int) -> list[str]:
    """Return the prefixes, at most two, of the sortable amounts within a tolerance; minor units."""
    if not tolerance_minor:
        return [sortable(amount_minor)]
    low, high = amount_minor - tolerance_minor + _OFFSET, amount_minor + tolerance_minor + _OFFSET
    dropped = len(str(high - low))
    step = 10**dropped
    return [f"{head:0{_DIGITS - dropped}d}" for head in range(low // step, high // step + 1)]


@lru_cache(4096)
def amounts_under(prefix: str) -> tuple[int, int]:
    """Return the range of the amounts whose sortable form starts with a prefix: the lowest, and its end."""
    step = 10 ** (_DIGITS - len(prefix))
    low = int(prefix or 0) * step - _OFFSET
    return low, low + step


def number_at(key: bytes, start: int) -> int:
    """Return the number whose sortable text begins at position `start` of a row key."""
    return int(key[start : start + _DIGITS]) - _OFFSET
