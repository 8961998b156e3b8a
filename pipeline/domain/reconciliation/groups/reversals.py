"""Reversals: two items of one side that cancel each other, which the other side never has.

A bank takes a booking back, or a journal of the books is reversed before anything was paid.
"""

from __future__ import annotations

from pipeline.domain.reconciliation.groups.around import Around, distance, likeness_of, nearest, pair_in_time
from pipeline.domain.reconciliation.groups.bounds import REVERSAL_DAYS
from pipeline.domain.reconciliation.groups.found import Found, Group, decided, group_of
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.worth import (
    REVERSAL,
    SAME_PARTY,
    SAME_REFERENCE,
    log_milli,
)
from pipeline.domain.reconciliation.scoring.item import Item

BY_CHANCE = -1_000
"""Most items of one amount and both signs are not each other's reversal."""
SAID_SO = 3_000
"""The statement says that one of them is a reversal."""
OF_OTHERS = -8_000
"""They name different parties."""
A_DAY = -30
"""Of each day between them."""
HAS_COUNTERPART = -10_000
"""One of them has a counterpart of its amount on the other side: that is a pair first."""
ODD_AMOUNT_MAX = 5_000
"""What an amount to the cent says at most."""


def find_reversal(due: Item, around: Around) -> Found:
    """Return what a due item cancels, or is cancelled by: confirmed if it is the only one, else suggested."""
    alike = likeness_of(around)
    near = nearest(due, around, alike)
    size = abs(due.amount_minor)
    equal = [item for item in (due, *near.same) if abs(item.amount_minor) == size]
    taken = [item for item in equal if item.amount_minor < 0]
    given = [item for item in equal if item.amount_minor > 0]
    groups = [_group(one, two, near, alike) for one in taken for two in given if _can_cancel(one, two)]
    return decided(due, groups, near.unknown)


def _can_cancel(one: Item, two: Item) -> bool:
    """Whether the dates let one be the reversal of the other; what is said to be a reversal comes second."""
    said = [item for item in (one, two) if item.kind == REVERSAL]
    if len(said) == 2 or distance(one, two) > REVERSAL_DAYS:
        return False
    if not said:
        return True
    (second,) = said
    first = two if second is one else one
    return max(second.day, second.booked_day) >= min(first.day, first.booked_day)


def _group(one: Item, two: Item, near: Around, alike: Likeness) -> Group:
    both = (one, two)
    text = 0
    if share_reference(one, two):
        text = SAME_REFERENCE
    elif alike.are_like(one, two):
        text = SAME_PARTY
    elif alike.of_others(one, two):
        text = OF_OTHERS
    counterpart = any(
        other.amount_minor == item.amount_minor and pair_in_time(item, other)
        for item in both
        for other in near.other
    )
    parts = [
        ("chance", BY_CHANCE),
        ("amount", min(log_milli(_odd(abs(one.amount_minor))), ODD_AMOUNT_MAX)),
        ("text", text),
        ("said", SAID_SO if any(item.kind == REVERSAL for item in both) else 0),
        ("days", A_DAY * distance(one, two)),
        ("counterpart", HAS_COUNTERPART if counterpart else 0),
    ]
    return group_of(REVERSAL, both, parts)


def _odd(amount_minor: int) -> int:
    """Return an amount without the zeros at its end: what distinguishes it."""
    while amount_minor % 10 == 0:
        amount_minor //= 10
    return amount_minor
