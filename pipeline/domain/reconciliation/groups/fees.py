"""Fees that are taken off an amount on its way: how large one can be."""

from __future__ import annotations

from pipeline.domain.kernel.currencies import EXPONENTS
from pipeline.domain.reconciliation.scoring.item import CHARGE, Item

KIND = "FEE"
RATE_PER_MILLE = 35
"""Cards and discounts take up to 3.5 %."""
FIXED_MINOR = 10_000
"""A transfer's fixed fee: up to 100.00 (10,000 where there are no decimals) ..."""
FIXED_STEP_MINOR = 25
"""... in steps of 0.25 ..."""
FIXED_SHARE = 5
"""... but no more than a fifth of the amount."""


def is_charge(item: Item) -> bool:
    """Whether a line's text begins as the one of a fee does, and its amount is one of a fixed fee."""
    return item.kind == CHARGE and 0 < -item.amount_minor <= FIXED_MINOR * _scale(item.currency)


def fee_limit(amount_minor: int, currency: str) -> int:
    """Return the highest fee, minor units, that may be taken off an amount of any sign."""
    size = abs(amount_minor)
    fixed = FIXED_MINOR * _scale(currency)
    return max(size * RATE_PER_MILLE // 1000, min(fixed, size // FIXED_SHARE))


def is_fee(fee_minor: int, amount_minor: int, currency: str) -> bool:
    """Whether a difference, books less bank, is a fee taken off an amount: a small share, or a fixed fee."""
    if not 0 < fee_minor <= fee_limit(amount_minor, currency):
        return False
    share = fee_minor * 1000 <= abs(amount_minor) * RATE_PER_MILLE
    return share or fee_minor % (FIXED_STEP_MINOR * _scale(currency)) == 0


def _scale(currency: str) -> int:
    """Return how many minor units there are for one of a currency with two decimals."""
    return int(10 ** max(EXPONENTS.get(currency, 2) - 2, 0))
