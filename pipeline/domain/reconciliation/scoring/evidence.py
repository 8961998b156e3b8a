"""The evidence of a pair: the bucket of each feature. Whole numbers and sets of words, no order."""

from __future__ import annotations

from bisect import bisect_right

from pipeline.domain.reconciliation.scoring.amounts import amount_bucket
from pipeline.domain.reconciliation.scoring.features import COUNTERPARTY, DAYS, KIND, REFERENCE, Evidence
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

_DAY_STARTS = (-3, -1, 0, 1, 2, 3, 4, 5, 7, 10, 15, 22, 32)
"""Where the buckets of DAYS begin, the first one aside."""
_BIT_STARTS = (0, 20, 40, 60, 80, 100, 130, 170, 220, 280, 360)
"""Where the buckets of COMMON begin, in tenths of a bit, from the first with a common word on."""
_SIMILAR_STARTS = (100, 250, 400, 600, 800, 1_000)
_CONTAINED_STARTS = (200, 400, 600, 800, 1_000)
_NOTHING, _NONE_COMMON = (0, 0, 0), (1, 1, 1)

_OWN_ID, _SAME, _IN_TEXT, _DIFFERENT = (REFERENCE.at(one) for one in REFERENCE.buckets[1:])
_SAME_PARTY, _PART_OF_PARTY, _NAMED, _OTHER_PARTY = (COUNTERPARTY.at(one) for one in COUNTERPARTY.buckets[1:])
_KINDS = {"": 0, "FEE": 1, "REVERSAL": 2, "BATCH": 3, "INFORMATION": 4}
assert len(_DAY_STARTS) + 1 == len(DAYS.buckets) and len(_KINDS) == len(KIND.buckets)


def evidence(posting: Item, line: Item, known: Known) -> Evidence:
    """Return the evidence that a line is of a posting: the bucket of each of FEATURES."""
    lag = line.booked_day - posting.day
    usual = known.usual_lag(posting.counterparty)
    return (
        0,
        amount_bucket(posting, line, known),
        bisect_right(_DAY_STARTS, lag - usual if lag >= 0 else lag),
        0 if lag >= 0 else 1 if lag == -1 else 2 if lag >= -3 else 3,
        _value_bucket(posting, line),
        *_word_buckets(posting, line, known),
        _reference_bucket(posting, line),
        _counterparty_bucket(posting, line),
        _KINDS.get(line.kind, 0),
    )


def _value_bucket(posting: Item, line: Item) -> int:
    if line.day == line.booked_day:
        return 0
    off = abs(line.day - posting.day)
    return 1 if off == 0 else 2 if off == 1 else 3 if off <= 5 else 4


def _word_buckets(posting: Item, line: Item, known: Known) -> tuple[int, int, int]:
    ours, theirs = posting.words, line.words
    if not ours or not theirs:
        return _NOTHING
    common = set(ours).intersection(theirs)
    if not common:
        return _NONE_COMMON
    shared = sum(map(known.rarity, common))
    left, right = max(known.information(posting), shared), max(known.information(line), shared)
    similar = 1_000 * shared // max(left + right - shared, 1)
    contained = 1_000 * shared // max(min(left, right), 1)
    same = len(common) == len(ours) == len(theirs)
    within = len(common) == min(len(ours), len(theirs))
    return (
        1 + bisect_right(_BIT_STARTS, shared),
        len(_SIMILAR_STARTS) + 1 if same else 1 + min(bisect_right(_SIMILAR_STARTS, similar), 5),
        len(_CONTAINED_STARTS) + 1 if within else 1 + min(bisect_right(_CONTAINED_STARTS, contained), 4),
    )


def _reference_bucket(posting: Item, line: Item) -> int:
    ours, theirs = posting.references, line.references
    if not ours:
        return 0
    for place, one in enumerate(ours):
        if one in theirs:
            return _OWN_ID if place < posting.own_ids else _SAME
    if any(one in line.words for one in ours):
        return _IN_TEXT
    return _DIFFERENT if theirs and len(ours) > posting.own_ids else 0


def _counterparty_bucket(posting: Item, line: Item) -> int:
    ours, theirs = posting.counterparty, line.counterparty
    if not ours:
        return 0
    if theirs:
        common = set(ours).intersection(theirs)
        if not common:
            return _OTHER_PARTY
        return _SAME_PARTY if len(common) == min(len(ours), len(theirs)) else _PART_OF_PARTY
    return _NAMED if line.words and set(ours).issubset(line.words) else 0
