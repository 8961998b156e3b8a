"""How far two amounts are apart: in which bucket of the feature `amount` a pair falls."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.domain.reconciliation.scoring.features import AMOUNT
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

FEE_MINOR_MAX = 5_000
"""The largest difference, minor units, that looks like a fee; and it is at most half of the amount."""
FEE_STEP_MINOR = 25
"""What looks like a fee is a multiple of this: 2.50, 7.25, 15.00."""

ROUND_MINOR = 5_000
"""Multiples of this, minor units, are round: many payments have such an amount."""

EQUAL, INSTRUCTED, FEE = (AMOUNT.at(one) for one in AMOUNT.buckets[:3])
_FIRST_BAND = AMOUNT.at("within 0.1 %")
_BANDS = (10, 50, 100, 200, 300, 500, 800, 1_500)
"""The ends of the bands, in hundredths of a percent of the posting's amount."""
FAR = AMOUNT.at("further away")
RATE, _NEAR_RATE = AMOUNT.at("equal at the day's rate"), AMOUNT.at("within 5 % of the day's rate")
SIGN = AMOUNT.at("equal with the sign turned")
CURRENCY = AMOUNT.at("in another currency")
EQUAL_ROUND = AMOUNT.at("equal, and round")
_E8 = 10**8


def amount_bucket(posting: Item, line: Item, known: Known) -> int:
    """Return the bucket of two amounts."""
    if posting.currency != line.currency:
        return _other_currency(posting, line, known)
    expected, found = posting.amount_minor, line.amount_minor
    if expected == found:
        return EQUAL if expected % ROUND_MINOR else EQUAL_ROUND
    if line.original is not None and line.original == (abs(expected), posting.currency):
        return INSTRUCTED
    if expected == -found:
        return SIGN
    if (expected < 0) != (found < 0):
        return FAR
    missing = expected - found
    if 0 < missing <= FEE_MINOR_MAX and missing % FEE_STEP_MINOR == 0 and 2 * missing <= abs(expected):
        return FEE
    return _FIRST_BAND + bisect_left(_BANDS, hundredths_of_percent(missing, expected))


def hundredths_of_percent(difference: int, amount: int) -> int:
    """Return a difference in hundredths of a percent of an amount, rounded up."""
    return -(-10_000 * abs(difference) // max(abs(amount), 1))


def _other_currency(posting: Item, line: Item, known: Known) -> int:
    if line.original == (abs(posting.amount_minor), posting.currency):
        return INSTRUCTED
    rate = known.rate_e8(posting.currency, line.currency, line.booked_day)
    if rate is None or (posting.amount_minor < 0) != (line.amount_minor < 0):
        return CURRENCY
    expected = posting.amount_minor * rate // _E8
    off = hundredths_of_percent(expected - line.amount_minor, expected)
    return RATE if off <= 50 else _NEAR_RATE if off <= 500 else CURRENCY
