"""Items that are there twice: a line that the bank sent again, a posting that was booked again."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.reconciliation.groups.around import Around, distance, pair_in_time
from pipeline.domain.reconciliation.groups.bounds import REPEAT_DAYS, REPEAT_TEXT_DAYS
from pipeline.domain.reconciliation.groups.likeness import contradict
from pipeline.domain.reconciliation.scoring.item import Item

DUPLICATE = "DUPLICATE"


def twin_of(due: Item, around: Around) -> Item | None:
    """Return the item that a due one repeats; None if it repeats none.

    Of equal open items there may be as many as the other side has; the later ones are the repetitions. The
    first of them is none, unless one of its kind is matched already.
    """
    settled = [item for item in around.settled if _repeats(due, item, _ids(around.settled))]
    open_twins = [item for item in around.same if _repeats(due, item, frozenset())]
    before = [item for item in open_twins if _place(item) < _place(due)]
    if not settled and not before:
        return None
    counterparts = sum(
        item.amount_minor == due.amount_minor
        and item.currency == due.currency
        and pair_in_time(due, item)
        and not contradict(due, item)
        for item in around.other
    )
    if len(before) < counterparts:
        return None
    return min(settled + before, key=lambda item: (distance(due, item), _place(item)))


def _repeats(due: Item, item: Item, ids: frozenset[str]) -> bool:
    """Whether two items of one side say the same: amount and reference, or amount, day and all text."""
    if (item.is_line, item.currency, item.amount_minor) != (due.is_line, due.currency, due.amount_minor):
        return False
    one, two = set(due.references[due.own_ids :]), set(item.references[item.own_ids :])
    shared = one & two
    if shared:
        # One of our ids names one payment for ever; a text may be used again next month.
        return distance(due, item) <= REPEAT_DAYS or not ids.isdisjoint(shared)
    if one and two:
        return False
    same_text = (due.words, due.counterparty) == (item.words, item.counterparty)
    return same_text and all(
        abs(days) <= REPEAT_TEXT_DAYS for days in (due.booked_day - item.booked_day, due.day - item.day)
    )


def _ids(items: Iterable[Item]) -> frozenset[str]:
    """Return the ids that no other payment has."""
    return frozenset(name for item in items for name in item.references[: item.own_ids])


def _place(item: Item) -> tuple[int, int, bytes]:
    """Return where an item is among its equals."""
    return item.booked_day, item.day, item.key
