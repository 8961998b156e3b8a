"""In what a line and a posting of one business differ: currency, date, sign, fee, rate, amount, reference."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.rates import UNIT_E8
from pipeline.domain.reconciliation.groups.around import in_time
from pipeline.domain.reconciliation.groups.bounds import PART_PER_MILLE
from pipeline.domain.reconciliation.groups.fees import is_fee
from pipeline.domain.reconciliation.groups.likeness import contradict
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

CURRENCY, DATE, SIGN, FEE, FX = "CURRENCY", "DATE", "SIGN", "FEE", "FX"
PARTIAL, AMOUNT, REFERENCE = "PARTIAL", "AMOUNT", "REFERENCE"

FX_PER_MILLE = 50
"""A bank's rate is at most so far from the one that the books took."""
FX_SAID_PER_MILLE = 150
"""The same, where the bank says that it exchanged."""
SLIP_DIGITS_MIN = 3
"""Digits before the zeros at the end that both amounts have where one is a slip of the other."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """In what a line and a posting differ."""

    kind: str
    minor: int
    """The line's amount less the posting's, minor units; 0 where the currencies differ."""
    why: str
    """The rule that decided, in a word or two: the evidence."""

    @property
    def telling(self) -> bool:
        """Whether the amounts say by themselves that they are of one business."""
        return self.why not in (OTHER_AMOUNT, OTHER_AMOUNT_AND_SIGN, A_PART, OTHER_CURRENCY)


def difference(line: Item, posting: Item, known: Known) -> Difference | None:
    """Return in what a line and a posting of one business differ; None if nothing keeps them apart."""
    if line.currency != posting.currency:
        return _of_currencies(line, posting, known)
    minor = line.amount_minor - posting.amount_minor
    if not minor:
        if not in_time(line, posting):
            return Difference(DATE, 0, "outside the window")
        if line.has_wrong_value_date:
            return Difference(DATE, 0, "the value date is far from the booking")
        return Difference(REFERENCE, 0, "other references") if contradict(line, posting) else None
    if line.amount_minor == -posting.amount_minor:
        return Difference(SIGN, minor, "the other sign")
    if minor < 0 and line.original == (abs(posting.amount_minor), posting.currency):
        return Difference(FEE, minor, INSTRUCTED)
    if _exchanged(line) and _near(line, posting, FX_SAID_PER_MILLE):
        return Difference(FX, minor, "exchanged by the bank")
    if _exchanged(posting) and _near(line, posting, FX_PER_MILLE):
        return Difference(FX, minor, "exchanged in the books")
    if (line.amount_minor < 0) != (posting.amount_minor < 0):
        return Difference(AMOUNT, minor, OTHER_AMOUNT_AND_SIGN)
    slip = slip_of(line.amount_minor, posting.amount_minor)
    if is_fee(-minor, posting.amount_minor, line.currency) and slip != SWAPPED:
        return Difference(FEE, minor, "less by a fee")
    if slip:
        return Difference(AMOUNT, minor, slip)
    if abs(line.amount_minor) * 1000 <= abs(posting.amount_minor) * PART_PER_MILLE:
        return Difference(PARTIAL, minor, A_PART)
    return Difference(AMOUNT, minor, OTHER_AMOUNT)


def _of_currencies(line: Item, posting: Item, known: Known) -> Difference:
    """Return FX where the amounts of two currencies fit each other; else one of the currencies is wrong."""
    if line.original == (abs(posting.amount_minor), posting.currency):
        return Difference(FX, 0, INSTRUCTED)
    rate = known.rate_e8(posting.currency, line.currency, line.booked_day)
    if rate is not None and line.amount_minor != posting.amount_minor:
        expected, size = abs(posting.amount_minor) * rate // UNIT_E8, abs(line.amount_minor)
        if abs(expected - size) * 1000 <= expected * FX_PER_MILLE:
            return Difference(FX, 0, "the amounts fit the rate")
    same = line.amount_minor == posting.amount_minor
    return Difference(CURRENCY, 0, "the same number" if same else OTHER_CURRENCY)


def _exchanged(item: Item) -> bool:
    """Whether it is said that an item was instructed in another currency."""
    return item.original is not None and item.original[1] != item.currency


def _near(line: Item, posting: Item, per_mille: int) -> bool:
    return abs(line.amount_minor - posting.amount_minor) * 1000 <= abs(posting.amount_minor) * per_mille


OTHER_AMOUNT, OTHER_AMOUNT_AND_SIGN = "another amount", "another amount and sign"
A_PART, OTHER_CURRENCY = "a part of the amount", "another currency"
INSTRUCTED = "the instructed amount is the posting's"
SWAPPED = "two digits are swapped"


def slip_of(left_minor: int, right_minor: int) -> str:
    """Return the slip of the pen that makes one amount the other, in words; empty if it is none."""
    left, right = str(abs(left_minor)), str(abs(right_minor))
    if len(left) == len(right):
        places = [place for place in range(len(left)) if left[place] != right[place]]
        if len(places) == 2 and places[1] == places[0] + 1:
            one, two = places
            return SWAPPED if (left[one], left[two]) == (right[two], right[one]) else ""
        return "one digit is wrong" if len(places) == 1 and _telling(left, right) else ""
    if not _telling(left, right):
        return ""
    if left.rstrip("0") == right.rstrip("0"):
        return "the decimal point is in another place"
    longer, shorter = sorted((left, right), key=len, reverse=True)
    dropped = any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))
    return "a digit is missing" if dropped else ""


def _telling(left: str, right: str) -> bool:
    """Whether both numbers have digits enough: a round amount and another are no slip, but two amounts."""
    return all(len(digits.rstrip("0")) >= SLIP_DIGITS_MIN for digits in (left, right))
