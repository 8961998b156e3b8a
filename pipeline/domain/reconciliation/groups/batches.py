"""Batch bookings whose statement says what is in them: each detail's posting is looked for by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
from msgspec import structs

from pipeline.domain.reconciliation.groups.around import in_time
from pipeline.domain.reconciliation.groups.bounds import DETAILS_MAX
from pipeline.domain.reconciliation.groups.fees import is_fee
from pipeline.domain.reconciliation.groups.found import OPEN, Found, decided, group_of
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.worth import (
    DETAIL_UNSURE,
    DETAILS,
    FEE_TAKEN,
    NOTHING_UNKNOWN,
    RULES_WORTH,
    round_worth,
)
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

_Fits = Callable[[Item, Item], bool]


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What was found of a batch booking."""

    found: Found
    """The group, where every detail has its posting and the sums agree."""
    postings: tuple[bytes | None, ...]
    """The posting of each detail, by key; None: not found."""
    sure: bool
    """Whether no detail could as well have had another posting."""


def find_batch(line: Item, details: Sequence[Item], postings: Sequence[Item], known: Known) -> Batch:
    """Return the postings of a line's details.

    A detail is an item of its own, with its line's dates and sign; its key is not looked at. Its posting has
    its amount, and its reference; else the same party or words; else nothing but the amount, where there are
    no more postings of the amount than details. A line with more than DETAILS_MAX details is not taken apart.
    """
    if not details or len(details) > DETAILS_MAX:
        return Batch(Found(OPEN), (None,) * len(details), True)
    free = {posting.key: posting for posting in sorted(postings, key=lambda posting: posting.key)}
    chosen: dict[int, Item] = {}
    details = [structs.replace(detail, key=b"detail %d" % place) for place, detail in enumerate(details)]
    alike = Likeness(known)
    fits: tuple[_Fits, ...] = (
        share_reference,
        lambda detail, posting: alike.are_like(detail, posting),
        lambda detail, posting: True,
    )
    for fit in fits:
        _choose(details, free, chosen, fit, only_sure=True)
    before = len(chosen)
    for fit in fits:
        _choose(details, free, chosen, fit, only_sure=False)
    sure = len(chosen) == before
    keys = tuple(chosen[place].key if place in chosen else None for place in range(len(details)))
    return Batch(_whole(line, details, chosen, sure), keys, sure)


def _choose(
    details: Sequence[Item], free: dict[bytes, Item], chosen: dict[int, Item], fit: _Fits, *, only_sure: bool
) -> None:
    """Give details their postings: those that fit the same ones share them, if they are as many."""
    by_amount: defaultdict[tuple[int, str], list[Item]] = defaultdict(list)
    for posting in free.values():
        by_amount[posting.amount_minor, posting.currency].append(posting)
    equals: defaultdict[tuple[bytes, ...], list[int]] = defaultdict(list)
    for place, detail in enumerate(details):
        if place not in chosen:
            of_amount = by_amount.get((detail.amount_minor, detail.currency), ())
            fitting = [one for one in of_amount if in_time(detail, one) and fit(detail, one)]
            equals[tuple(posting.key for posting in fitting)].append(place)
    for keys, places in equals.items():
        if only_sure and len(places) < len(keys):
            continue
        for place in places:
            key = next((key for key in keys if key in free), None)
            if key is not None:
                chosen[place] = free.pop(key)


def _whole(line: Item, details: Sequence[Item], chosen: dict[int, Item], sure: bool) -> Found:
    """Return the group of a line all of whose details were found, if the details are the line."""
    if len(chosen) < len(details):
        return Found(OPEN)
    postings = [chosen[place] for place in range(len(details))]
    books = sum(posting.amount_minor for posting in postings)
    fee = books - line.amount_minor
    if fee and not is_fee(fee, books, line.currency):
        return Found(OPEN)
    parts = [
        ("details", RULES_WORTH[DETAILS]),
        ("amount", round_worth(books, postings)),
        ("fee", FEE_TAKEN if fee else 0),
        ("unsure", 0 if sure else DETAIL_UNSURE),
    ]
    group = group_of(DETAILS, [line, *postings], parts, fee)
    return decided(line, [group], NOTHING_UNKNOWN if sure else RULES_WORTH[DETAILS])
