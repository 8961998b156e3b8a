"""The kinds of instances: how many a full set has, whether they match, what their break is called.

What is expected is said here, not by the code that judges: the author of the data knows what it is.
"""

from __future__ import annotations

from typing import NamedTuple

CLEAN_SHARE = 7, 10
"""Of all instances."""


class Kind(NamedTuple):
    """One kind."""

    count: int
    """Instances in a full data set; of `clean` as many as make its share."""
    about: str
    matched: bool = True
    """Whether its lines are to be matched with its postings: this counts for recall."""
    confirmable: bool = True
    """Whether what belongs together can be known; where it cannot, a suggestion is right."""
    names: frozenset[str] = frozenset()
    """The break types that name it; empty: nothing is asked."""


def _named(count: int, about: str, *names: str, matched: bool = True) -> Kind:
    return Kind(count, about, matched, names=frozenset(names))


KINDS: dict[str, Kind] = {
    "clean": Kind(0, "one reference on both sides, the same amount, within the account's usual lag"),
    "no_reference": Kind(500, "the bank has no reference, and all words"),
    "truncated": Kind(500, "no reference; text cut at 15, 27 or 35 characters"),
    "rewritten": Kind(400, "no reference; words gone, upper case, bank codes"),
    "reference_in_text": Kind(400, "the reference stands in the bank's free text, some respelled"),
    "respelled_reference": Kind(300, "other case, blanks or punctuation; RF references in blocks of four"),
    "placeholder": Kind(300, "NOTPROVIDED, NONREF and the like; half of the time in the books, too"),
    "constant_reference": Kind(300, "a customer's number on all its payments, twenty in 120 days"),
    "late": Kind(300, "booked 7 to 21 days after the posting, later than usual there"),
    "weekly": Kind(300, "equal amounts each week, same payee and text, no reference"),
    "twins": Kind(200, "two equal payments of a day to one payee, no reference", confirmable=False),
    "fee_flat": _named(220, "the bank has taken a flat fee off", "FEE"),
    "fee_percent": _named(220, "the bank has taken a percentage off", "FEE"),
    "fee_line": _named(220, "the fee is a line of its own; six in ten have the payment's reference", "FEE"),
    "fx": _named(260, "converted at the bank's rate, the books at theirs", "FX"),
    "fx_foreign": _named(
        200, "the books have the foreign amount, the bank its own currency", "FX", "CURRENCY"
    ),
    "value_past": Kind(220, "value date 1 to 10 days before the booking"),
    "value_wrong": _named(200, "value date off by a month or a year; clean reference", "DATE"),
    "booked_before": _named(200, "the books come 4 to 15 days after the bank", "DATE", "MISSING_INTERNAL"),
    "wrong_sign": _named(200, "debit for credit", "SIGN", matched=False),
    "typed_wrong": _named(220, "two digits of the amount exchanged in the books", "AMOUNT", matched=False),
    "split": Kind(240, "one posting, two to four lines, within two days"),
    "batch_reference": Kind(200, "three to sixteen postings, one line, a batch reference on all"),
    "batch_bare": Kind(240, "two to five postings to one payee in one line, without a reference"),
    "partial_paid": _named(200, "a part, and the rest 8 to 20 days later", "PARTIAL"),
    "partial_open": _named(200, "a part, and never the rest", "PARTIAL", matched=False),
    "reversal_bank": Kind(200, "a line of nobody and its reversal", matched=False),
    "reversal_books": Kind(200, "a posting and its reversal, never at the bank", matched=False),
    "returned": Kind(200, "paid, and back 2 to 8 days later, on both sides"),
    "duplicate_reference": _named(200, "a line again, with its reference", "DUPLICATE"),
    "duplicate_bare": _named(200, "a line again an hour to two days later, without a reference", "DUPLICATE"),
    "missing_internal": _named(
        300, "a line of nobody; a third has the amount of a later posting", "MISSING_INTERNAL", matched=False
    ),
    "missing_external": _named(
        300,
        "a posting that the bank never sees; a third has another's amount",
        "MISSING_EXTERNAL",
        matched=False,
    ),
}
