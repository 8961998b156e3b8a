"""Groups by reference alone: all lines and all postings that have one in common, and their sums agree.

This is the only place where several lines meet several postings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.domain.reconciliation.groups.around import Around
from pipeline.domain.reconciliation.groups.fees import KIND, is_fee
from pipeline.domain.reconciliation.groups.found import Group, group_of
from pipeline.domain.reconciliation.groups.worth import FEE_TAKEN, REFERENCE, SAME_REFERENCE, round_worth
from pipeline.domain.reconciliation.scoring.item import Item


def groups_of_references(due: Item, near: Around) -> list[Group]:
    """Return the groups of which a due item is by its references: of each one, and of all that hang together.

    A fee that shares the reference is tried as a part, and as none. Where a line and a posting have the same
    amount they are a pair, and no group is made of them and others.
    """
    everything = (due, *near.same, *near.other)
    groups = []
    for items in _circles(due, everything):
        for chosen in (items, [item for item in items if item.kind != KIND]):
            group = _agreeing(
                [item for item in chosen if item.is_line], [item for item in chosen if not item.is_line]
            )
            if group is not None and due.key in group.keys:
                groups.append(group)
    return groups


def _circles(due: Item, items: Sequence[Item]) -> list[list[Item]]:
    """Return the items under each reference of the due one, and those that hang together by any."""
    circles = [[item for item in items if _has(item, reference)] for reference in due.references]
    ahead, known = list(due.references), set(due.references)
    left = list(items)
    together: list[Item] = []
    while ahead:
        reference = ahead.pop()
        joined = [item for item in left if _has(item, reference)]
        left = [item for item in left if not _has(item, reference)]
        together += joined
        for one in {name for item in joined for name in item.references} - known:
            known.add(one)
            ahead.append(one)
    return [*circles, together]


def _has(item: Item, reference: str) -> bool:
    return reference in item.references or reference in item.words


def _agreeing(lines: Sequence[Item], postings: Sequence[Item]) -> Group | None:
    """Return the group of lines and postings whose sums agree, or differ by a fee; None if they do not."""
    pair = len(lines) == 1 and len(postings) == 1
    if not lines or not postings or _have_a_pair(lines, postings):
        return None
    bank, books = (sum(item.amount_minor for item in side) for side in (lines, postings))
    fee = books - bank
    if (pair and not fee) or (fee and not is_fee(fee, books, lines[0].currency)) or not books:
        return None
    parts = [
        ("reference", SAME_REFERENCE),
        ("amount", 0 if fee else round_worth(books, [*lines, *postings])),
        ("fee", FEE_TAKEN if fee else 0),
    ]
    return group_of(REFERENCE, [*lines, *postings], parts, fee)


def _have_a_pair(lines: Iterable[Item], postings: Iterable[Item]) -> bool:
    amounts = {line.amount_minor for line in lines}
    return any(posting.amount_minor in amounts for posting in postings)
