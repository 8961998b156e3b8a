"""Money as integers: minor units of an ISO 4217 currency, bounded to 64 bits.

Python integers never overflow, but the Avro `long` that carries them does. Every addition of money in the
domain goes through `add`, so a sum that no event could carry is refused at once.
"""

from __future__ import annotations

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Overflow(ArithmeticError):
    """A sum does not fit into 64 bits."""


def fits(value: int) -> bool:
    """Whether `value` can be carried by an Avro long."""
    return INT64_MIN <= value <= INT64_MAX


def checked(value: int) -> int:
    """Return `value`. Raises Overflow if it does not fit into 64 bits."""
    if not INT64_MIN <= value <= INT64_MAX:
        raise Overflow
    return value


def add(left: int, right: int) -> int:
    """Return `left + right` (same unit). Raises Overflow if the sum does not fit into 64 bits."""
    return checked(left + right)
