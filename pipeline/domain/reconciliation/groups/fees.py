"""Fees that are taken off an amount on its way: how large one can be."""

from __future__ import annotations

from pipeline.domain.kernel.currencies import EXPONENTS

KIND = "FEE"
RATE_PER_MILLE = 35
"""Cards and discounts take up to 3.5 %."""
FIXED_MINOR = 5_000
"""A transfer's fixed fee: up to 50.00 (5,000 where there are no decimals) ..."""
FIXED_SHARE = 5
"""... but no more than a fifth of the amount."""


def fee_limit(amount_minor: int, currency: str) -> int:
    """Return the highest fee, minor units, that may be taken off an amount of any sign."""
    size = abs(amount_minor)
    more_decimals = max(EXPONENTS.get(currency, 2) - 2, 0)
    fixed = FIXED_MINOR * int(10**more_decimals)
    return max(size * RATE_PER_MILLE // 1000, min(fixed, size // FIXED_SHARE))


def is_fee(fee_minor: int, amount_minor: int, currency: str) -> bool:
    """Whether a difference, books less bank, is a fee taken off an amount."""
    return 0 < fee_minor <= fee_limit(amount_minor, currency)
