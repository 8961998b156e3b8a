"""Numbers that others wrote as digits."""

from __future__ import annotations

DIGITS_MAX = 19
"""Of any offset and partition. Python refuses to read some thousands of them, by an error."""
SHOWN_MAX = 40
"""So much is shown of what is no number."""


def number_in(digits: bytes) -> int | None:
    """Return the number that ASCII digits are; None where they are none, or too many."""
    return int(digits) if digits.isdigit() and len(digits) <= DIGITS_MAX else None
