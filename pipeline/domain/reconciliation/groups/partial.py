"""Partial payments: several items that will add up to one, of which only some have come."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.reconciliation.groups.around import Around, likeness_of, nearest, pair_in_time
from pipeline.domain.reconciliation.groups.bounds import PART_PER_MILLE
from pipeline.domain.reconciliation.groups.fees import KIND, fee_limit
from pipeline.domain.reconciliation.groups.likeness import share_reference
from pipeline.domain.reconciliation.scoring.item import Item


class Partial(msgspec.Struct, frozen=True, gc=False):
    """An item of which a part has come. All of its items stay open until the rest does."""

    total: bytes
    """The item that is paid in parts, by key."""
    parts: tuple[bytes, ...]
    """Keys, in order."""
    paid_minor: int
    """The parts' sum."""
    left_minor: int
    """What is not there yet; of the total's sign."""


def find_partial(due: Item, around: Around) -> Partial | None:
    """Return the partial payment of which a due item is the total or a part, by reference; None: of none.

    If there are several, the largest total counts, of equal ones the first by key.
    """
    near = nearest(due, around, likeness_of(around))
    own = tuple(sorted((*near.same, due), key=lambda item: item.key))
    found = [_partial_of(due, near.other, own)]
    for total in near.other:
        if share_reference(total, due):
            found.append(_partial_of(total, own, near.other))
    whole = [one for one in found if one is not None and due.key in (one.total, *one.parts)]
    return min(whole, key=lambda one: (-abs(one.paid_minor + one.left_minor), one.total), default=None)


def _partial_of(total: Item, others: Sequence[Item], beside: Sequence[Item]) -> Partial | None:
    """Return the partial payment of a total.

    There is none while its whole amount is there as one item, or where its parts may be of another total,
    too, nor where no more than a fee is left. No part is a fee, what is no more than a fee could be, or one
    item of nearly the whole amount.
    """
    timely = [one for one in others if pair_in_time(total, one)]
    parts = [one for one in timely if share_reference(total, one) and one.kind != KIND]
    if not parts or any(one.amount_minor == total.amount_minor for one in timely):
        return None
    if any(one.key != total.key and _wants(one, parts) for one in beside):
        return None
    limit, sign = fee_limit(total.amount_minor, total.currency), -1 if total.amount_minor < 0 else 1
    paid = sum(one.amount_minor for one in parts)
    fit = all(one.amount_minor * sign > 0 for one in parts) and paid * sign > limit
    left = total.amount_minor - paid
    nearly = len(parts) == 1 and paid * 1000 * sign > total.amount_minor * PART_PER_MILLE * sign
    if not fit or nearly or left * sign <= limit:
        return None
    return Partial(total.key, tuple(one.key for one in parts), paid, left)


def _wants(total: Item, parts: Sequence[Item]) -> bool:
    return any(
        share_reference(total, one) and abs(total.amount_minor) >= abs(one.amount_minor) for one in parts
    )
