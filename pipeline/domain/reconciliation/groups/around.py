"""What a search is given: a due item's neighbours, in one order whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.groups.bounds import CANDIDATES_MAX, EARLY_DAYS, WINDOW_DAYS
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
    complete: bool = True
    """Whether `same` and `other` are all there are in the window; if not, no set is surely the only one."""


def nearest(due: Item, around: Around) -> Around:
    """Return the neighbours that a search looks at: the nearest of each side, by key.

    Left out are items without an amount, and those of another currency.
    """
    same, same_whole = _chosen(due, around.same)
    other, other_whole = _chosen(due, around.other)
    whole = around.complete and same_whole and other_whole
    return msgspec.structs.replace(around, same=same, other=other, complete=whole)


def _chosen(due: Item, items: Iterable[Item]) -> tuple[tuple[Item, ...], bool]:
    fit = [one for one in items if counts(one) and one.currency == due.currency]
    fit.sort(key=lambda one: (distance(due, one), one.key))
    return tuple(sorted(fit[:CANDIDATES_MAX], key=key_of)), len(fit) <= CANDIDATES_MAX


def counts(item: Item) -> bool:
    """Whether an item moves money at all."""
    return item.amount_minor != 0 and item.kind != INFORMATION


def key_of(item: Item) -> bytes:
    """Return an item's key: the order of every search."""
    return item.key


def distance(left: Item, right: Item) -> int:
    """Return the days between two items, by the nearest of their dates."""
    return min(abs(a - b) for a in (left.day, left.booked_day) for b in (right.day, right.booked_day))


def in_time(line: Item, posting: Item) -> bool:
    """Whether a line may be of a posting by its dates: not long before it, not too long after it."""
    first, last = sorted((line.day, line.booked_day))
    return last >= posting.day - EARLY_DAYS and first <= posting.day + WINDOW_DAYS


def pair_in_time(left: Item, right: Item) -> bool:
    """Whether a line and a posting, in any order, may be of each other by their dates."""
    return in_time(left, right) if left.is_line else in_time(right, left)
