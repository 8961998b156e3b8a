"""Which items are searched together for a sum: blocks of what could be one business."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.domain.reconciliation.groups.around import pair_in_time
from pipeline.domain.reconciliation.groups.fees import fee_limit
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.worth import COUNTERPARTY, DAY, PARTY, REFERENCE, WINDOW
from pipeline.domain.reconciliation.scoring.item import Item


class Block(msgspec.Struct, frozen=True, gc=False):
    """Items of one side that may add up to one of the other side."""

    rule: str
    members: tuple[Item, ...]
    """By key."""
    blocks: int
    """How many blocks of this rule were searched: each is one more chance of a wrong set."""
    fees: bool
    """Whether a fee may have been taken off the sum."""


def blocks_of(total: Item, items: Sequence[Item], alike: Likeness) -> list[Block]:
    """Return the blocks in which the parts of an item are searched, the most telling first.

    An item of just its amount is no part of it but its counterpart.
    """
    timely = [item for item in items if pair_in_time(total, item) and item.amount_minor != total.amount_minor]
    named = [item for item in timely if share_reference(total, item)]
    parts = [item for item in timely if is_part(total, item)]
    like = [item for item in parts if alike.are_like(total, item)]
    found = [
        Block(REFERENCE, tuple(named), 1, True),
        Block(COUNTERPARTY, tuple(like), 1, True),
    ]
    if not total.counterparty:
        found += _split(PARTY, parts, [item.counterparty for item in parts])
    found += _split(DAY, parts, [item.day for item in parts])
    found.append(Block(WINDOW, tuple(parts), 1, False))
    seen: set[tuple[bytes, ...]] = set()
    kept = []
    for block in found:
        keys = tuple(member.key for member in block.members)
        if keys not in seen and len(keys) >= (1 if block.fees else 2):
            seen.add(keys)
            kept.append(block)
    return kept


def is_part(total: Item, item: Item) -> bool:
    """Whether an item may be a part of an amount: of its sign and not much larger, or a fee against it."""
    fee = fee_limit(total.amount_minor, total.currency)
    if (item.amount_minor < 0) == (total.amount_minor < 0):
        return abs(item.amount_minor) <= abs(total.amount_minor) + fee
    return abs(item.amount_minor) <= fee


def _split(rule: str, items: Iterable[Item], names: Iterable[object]) -> list[Block]:
    """Return a block of the items of each name that is one, if there are several items."""
    by_name: defaultdict[object, list[Item]] = defaultdict(list)
    for name, item in zip(names, items, strict=True):
        if name != ():
            by_name[name].append(item)
    several = [tuple(members) for members in by_name.values() if len(members) > 1]
    return [Block(rule, members, max(len(by_name), 1), False) for members in several]
