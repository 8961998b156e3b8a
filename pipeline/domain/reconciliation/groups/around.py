"""What a search is given: a due item's neighbours, in one order whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.groups.bounds import CANDIDATES_MAX, EARLY_DAYS, WINDOW_DAYS
from pipeline.domain.reconciliation.groups.likeness import Likeness
from pipeline.domain.reconciliation.groups.worth import COUNTERPARTY, NOTHING_UNKNOWN, RULES_WORTH, WINDOW
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

INFORMATION = "INFORMATION"


class Around(msgspec.Struct, frozen=True):
    """The items around a due one, which is in none of these, and what their account knows."""

    known: Known
    """How rare words are, and the rates."""
    same: tuple[Item, ...] = ()
    """Open items of its own side."""
    other: tuple[Item, ...] = ()
    """Open items of the other side."""
    settled: tuple[Item, ...] = ()
    """Items of both sides that were matched lately."""
    unknown: int = NOTHING_UNKNOWN
    """What the most telling rule (`worth.RULES_WORTH`) is worth by which there may be more items."""
    alike: Likeness | None = None
    """The likeness of these items, if several searches are to share it."""


def likeness_of(around: Around) -> Likeness:
    """Return the likeness of items: the one that all searches of a due item share, if there is one."""
    return Likeness(around.known) if around.alike is None else around.alike


def nearest(due: Item, around: Around, alike: Likeness) -> Around:
    """Return the neighbours that a search looks at, by key: those like the due item, then the nearest.

    Left out are items without an amount, and those of another currency. Where there are too many, days are
    whole: of the first day that does not fit, nothing is looked at.
    """
    same, one = _chosen(due, around.same, alike)
    other, two = _chosen(due, around.other, alike)
    return msgspec.structs.replace(around, same=same, other=other, unknown=max(around.unknown, one, two))


def _chosen(due: Item, items: Iterable[Item], alike: Likeness) -> tuple[tuple[Item, ...], int]:
    """Return the items, and what the most telling rule is worth by which some are left out."""
    fit = [one for one in items if counts(one) and one.currency == due.currency]
    if len(fit) <= CANDIDATES_MAX:
        return tuple(sorted(fit, key=key_of)), NOTHING_UNKNOWN
    places = sorted((not alike.are_like(due, one), distance(due, one), one.key, one) for one in fit)
    unlike, day, _, _ = places[CANDIDATES_MAX]
    if not unlike:
        kept, unknown = places[:CANDIDATES_MAX], RULES_WORTH[COUNTERPARTY]
    else:
        kept = [place for place in places[:CANDIDATES_MAX] if place[:2] < (unlike, day)]
        unknown = RULES_WORTH[WINDOW]
    return tuple(sorted((place[-1] for place in kept), key=key_of)), unknown


def counts(item: Item) -> bool:
    """Whether an item moves money at all."""
    return item.amount_minor != 0 and item.kind != INFORMATION


def key_of(item: Item) -> bytes:
    """Return an item's key: the order of every search."""
    return item.key


def distance(left: Item, right: Item) -> int:
    """Return the days between two items, by the nearest of their dates."""
    return min(
        abs(left.day - right.day),
        abs(left.day - right.booked_day),
        abs(left.booked_day - right.day),
        abs(left.booked_day - right.booked_day),
    )


def in_time(line: Item, posting: Item) -> bool:
    """Whether a line may be of a posting by its dates: not long before it, not too long after it."""
    first, last = sorted((line.day, line.booked_day))
    return last >= posting.day - EARLY_DAYS and first <= posting.day + WINDOW_DAYS


def pair_in_time(left: Item, right: Item) -> bool:
    """Whether a line and a posting, in any order, may be of each other by their dates."""
    return in_time(left, right) if left.is_line else in_time(right, left)
