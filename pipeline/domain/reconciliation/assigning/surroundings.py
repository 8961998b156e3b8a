"""What is around an item in the index of its account: for groups, reversals and the kinds of breaks.

Unlike `blocking`, which looks for one counterpart, it looks at both sides and at amounts of any size. Each
look-up is bounded, and says whether there was more.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

from pipeline.domain.reconciliation.assigning.blocking import (
    REFERENCES_MAX,
    WORDS_LOOKED_UP,
    OrderedKeys,
    after_all,
    amount_place,
    day_place,
    rarest,
    side_of,
)
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

LOOK_MAX = 64
"""Entries of one look-up, to either side."""
SETTLED_MAX = 16
"""Matched items of one reference."""


class Look(NamedTuple):
    """The items that a look-up has found, the nearest first, and whether that is all."""

    keys: list[bytes]
    complete: bool


def by_references(item: Item, is_line: bool, index: OrderedKeys, limit: int = LOOK_MAX) -> Look:
    """Look for items of a side with a reference of an item."""
    return _under([b"r" + side_of(is_line) + one.encode() + b"\0" for one in _references(item)], index, limit)


def settled_by_references(item: Item, index: OrderedKeys) -> list[bytes]:
    """Return the matched items that are found by a reference of an item, or by all that it says."""
    return _under([b"s" + one.encode() + b"\0" for one in settled_names(item)], index, SETTLED_MAX).keys


def settled_names(item: Item) -> tuple[str, ...]:
    """Return by what a matched item is found: its references; of a line without any, amount and all text."""
    if item.references or not item.is_line:
        return item.references
    said = " ".join((*item.words, "", *item.counterparty))
    return (f"\1{item.currency}{item.amount_minor}:{crc32(said.encode())}",)


def by_words(item: Item, is_line: bool, index: OrderedKeys, known: Known) -> Look:
    """Look for items of a side with one of an item's rarest words, whatever their amounts."""
    heads = [
        b"w" + side_of(is_line) + word.encode() + b"\0" for word in rarest(item.words, known, WORDS_LOOKED_UP)
    ]
    start = len(amount_place("EUR", 0)) + len(day_place(0))
    return _under(heads, index, LOOK_MAX, start)


def by_amount(
    item: Item, is_line: bool, index: OrderedKeys, amount_minor: int, limit: int = LOOK_MAX
) -> Look:
    """Look for items of a side with an amount in the item's currency, nearest days first to either side."""
    head = b"a" + side_of(is_line) + amount_place(item.currency, amount_minor)
    middle = head + day_place(item.booked_day)
    up, down = index.up(middle, after_all(head), limit), index.down(head, middle, limit)
    start = len(middle)
    return Look([key[start:] for key in _in_turn(up, down)], max(len(up), len(down)) < limit)


def by_amounts(item: Item, is_line: bool, index: OrderedKeys, currency: str, amount_minor: int) -> Look:
    """Look for items of a side in a currency, the nearest amounts first to either side."""
    head = b"a" + side_of(is_line) + currency.encode()
    middle = b"a" + side_of(is_line) + amount_place(currency, amount_minor)
    up, down = index.up(middle, after_all(head), LOOK_MAX), index.down(head, middle, LOOK_MAX)
    start = len(middle) + len(day_place(0))
    return Look([key[start:] for key in _in_turn(up, down)], max(len(up), len(down)) < LOOK_MAX)


def _references(item: Item) -> tuple[str, ...]:
    return item.references[:REFERENCES_MAX]


def _under(heads: list[bytes], index: OrderedKeys, limit: int, start: int = 0) -> Look:
    """Look up what is under each of some heads; an item's key begins `start` bytes behind one."""
    keys: dict[bytes, None] = {}
    complete = True
    for head in heads:
        found = index.up(head, after_all(head), limit)
        complete = complete and len(found) < limit
        keys.update((key[len(head) + start :], None) for key in found)
    return Look(list(keys), complete)


def _in_turn(up: list[bytes], down: list[bytes]) -> list[bytes]:
    """Return two lists as one, from both in turn: none is cut where the whole is."""
    both = min(len(up), len(down))
    turns = [key for pair in zip(up, down, strict=False) for key in pair]
    return [*turns, *up[both:], *down[both:]]
