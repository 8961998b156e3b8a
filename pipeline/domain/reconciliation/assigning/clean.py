"""Clean references: a pair that says by itself that it is one, without a score.

One posting and one line have a strong reference in common, equal amounts and a plain line, and no other open
item of either side has the same. Such a pair is confirmed on arrival; it is most of the traffic and must cost
little. Anything else about it (another amount, a fee with its payment's reference, twins) is left to scoring.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.reconciliation.scoring.item import PLAIN, Item

DAYS_BEFORE_MAX = 3
"""A line that was booked longer before its posting is no clean match of it."""


def is_clean(posting: Item, line: Item) -> bool:
    """Return whether a posting and a line that have a reference in common are a clean pair."""
    return (
        posting.amount_minor == line.amount_minor
        and posting.currency == line.currency
        and line.kind in PLAIN
        and not line.has_wrong_value_date
        and line.booked_day >= posting.day - DAYS_BEFORE_MAX
        and not {*posting.references}.isdisjoint(line.references)
    )


def clean_match(item: Item, others: Iterable[Item]) -> Item | None:
    """Return the one open item of the other side that an arriving item is a clean pair with.

    `others` are those with a reference of the item's (`blocking.by_reference`).
    """
    found = None
    for other in others:
        if is_clean(other, item) if item.is_line else is_clean(item, other):
            if found is not None:
                return None
            found = other
    return found
