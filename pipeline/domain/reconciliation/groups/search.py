"""The search for the group of a due item: 1:n, n:1, and n:m by reference.

    due -> groups of its references -> what adds up to it -> what it adds up to with others -> decided

Nothing depends on the order in which items come: every list is put in the order of keys first.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.reconciliation.groups.around import Around, distance, likeness_of, nearest, pair_in_time
from pipeline.domain.reconciliation.groups.blocks import Block, blocks_of, is_part
from pipeline.domain.reconciliation.groups.bounds import TOTALS_MAX
from pipeline.domain.reconciliation.groups.differences import slip_of
from pipeline.domain.reconciliation.groups.fees import fee_limit, is_fee
from pipeline.domain.reconciliation.groups.found import CONFIRMED, Found, Group, decided, group_of
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.sums import Budget, Sums
from pipeline.domain.reconciliation.groups.whole_references import groups_of_references
from pipeline.domain.reconciliation.groups.worth import (
    BATCH,
    FEE_TAKEN,
    REFERENCE,
    RULES_WORTH,
    SLIP,
    WANTED,
    amount_worth,
    days_worth,
    party_worth,
    sets_worth,
)
from pipeline.domain.reconciliation.scoring.item import Item


def find_group(due: Item, around: Around) -> Found:
    """Return the groups that a due item may be of: one that is confirmed, or at most three suggested ones.

    The item has no counterpart of its own: pairs are decided before. What it is a part of is found as well as
    what it is made of, so whichever of a group's items falls due first finds the group.
    """
    alike = likeness_of(around)
    near = nearest(due, around, alike)
    search = _Search(near, alike)
    groups = groups_of_references(due, near)
    found = decided(due, groups, search.unknown)
    if found.outcome == CONFIRMED:
        return found
    groups += search.parts_of(due, near.other, near.same)
    pool = tuple(sorted((*near.same, due), key=lambda item: item.key))
    for total in _totals(due, near, alike):
        rest = [item for item in near.other if item is not total]
        groups += search.parts_of(total, pool, rest)
    return decided(due, groups, search.unknown)


def _totals(due: Item, near: Around, alike: Likeness) -> list[Item]:
    """Return the items of the other side that the due one may be a part of: the likeliest few."""

    def likely(total: Item) -> tuple[object, ...]:
        said = (not share_reference(due, total), total.kind != BATCH)
        return (*said, -alike.of(due, total), distance(due, total), total.key)

    totals = [
        item
        for item in near.other
        if pair_in_time(due, item) and item.amount_minor != due.amount_minor and is_part(item, due)
    ]
    return sorted(totals, key=likely)[:TOTALS_MAX]


class _Search:
    """One search, its budget, and the sums that it has written down."""

    def __init__(self, near: Around, alike: Likeness) -> None:
        self._alike = alike
        self._budget = Budget()
        self._sums: dict[tuple[bytes, ...], Sums] = {}
        self.unknown = near.unknown
        """What the most telling rule is worth that was not searched to its end."""

    def parts_of(self, total: Item, items: Sequence[Item], beside: Sequence[Item]) -> list[Group]:
        """Return the sets of `items` that add up to `total`, exactly, or less a fee where nothing else does.

        `beside` are the other items of the total's side: who else wants a part.
        """
        wanted = {item.amount_minor for item in beside}
        groups: list[Group] = []
        for block in blocks_of(total, items, self._alike):
            exact = self._sets(block, total.amount_minor, total.amount_minor)
            with_fee = [] if exact or not block.fees else self._with_fee(block, total)
            for members in exact + with_fee:
                groups.append(self._group(total, members, block, items, wanted))
        return _smallest(groups)

    def _with_fee(self, block: Block, total: Item) -> list[list[Item]]:
        limit = fee_limit(total.amount_minor, total.currency)
        low, high = (0, limit) if total.is_line else (-limit, 0)
        sets = self._sets(block, total.amount_minor + low, total.amount_minor + high)
        return [members for members in sets if is_fee(*_fee(total, members), total.currency)]

    def _sets(self, block: Block, low: int, high: int) -> list[list[Item]]:
        members = block.members
        keys = tuple(member.key for member in members)
        sums = self._sums.get(keys)
        if sums is None:
            sums = self._sums[keys] = Sums([member.amount_minor for member in members])
        masks, complete = sums.within(low, high, self._budget)
        if not complete:
            self.unknown = max(self.unknown, RULES_WORTH[block.rule])
        return [[one for place, one in enumerate(members) if mask >> place & 1] for mask in masks]

    def _group(
        self, total: Item, members: list[Item], block: Block, items: Sequence[Item], wanted: set[int]
    ) -> Group:
        fee, _ = _fee(total, members)
        counterpart = any(item.amount_minor == total.amount_minor for item in items)
        sought = counterpart or any(member.amount_minor in wanted for member in members)
        parts = [
            ("amount", amount_worth(total, members, fee)),
            ("sets", sets_worth(len(members), len(block.members), block.blocks)),
            (block.rule.lower(), RULES_WORTH[block.rule]),
            ("days", days_worth(total, members)),
            ("party", party_worth(total, members, self._alike)),
            ("fee", FEE_TAKEN if fee else 0),
            ("slip", SLIP if any(_is_slip(total, member) for member in members) else 0),
            ("wanted", WANTED if sought and block.rule != REFERENCE else 0),
        ]
        return group_of(block.rule, [total, *members], parts, fee)


def _is_slip(total: Item, member: Item) -> bool:
    return slip_of(total.amount_minor, member.amount_minor) != ""


def _smallest(groups: Sequence[Group]) -> list[Group]:
    """Return the groups that have no other one inside: what they have besides cancels itself."""
    sets = [frozenset(group.keys) for group in groups]
    return [group for group, one in zip(groups, sets, strict=True) if not any(other < one for other in sets)]


def _fee(total: Item, members: Sequence[Item]) -> tuple[int, int]:
    """Return the fee, books less bank, and the books' amount; minor units."""
    amount = sum(member.amount_minor for member in members)
    return (
        (amount - total.amount_minor, amount)
        if total.is_line
        else (total.amount_minor - amount, total.amount_minor)
    )
