"""Rates between currencies: how many units of one are paid for one unit of the other, in units of 1e-8."""

from __future__ import annotations

UNIT_E8 = 10**8
"""A rate of 1."""
RATE_MAX_E8 = 10**17
"""The highest rate, 1e9. The lowest is 1e-8; for a currency that is worth less, the inverse is quoted."""


def is_rate(rate_e8: int) -> bool:
    """Whether a number can be a rate."""
    return 0 < rate_e8 <= RATE_MAX_E8
