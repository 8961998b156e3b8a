"""A pair that is one by its score, and differs: by a fee, a rate, a slip of the pen, a date.

It is never decided on arrival, since the items that add up exactly may not have come yet; and when it is
due, a group that adds up comes first. What is claimed has a break that says in what the two differ.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.assigning.edges import Edge, amounts_agree
from pipeline.domain.reconciliation.assigning.outcomes import Decided, Outcome
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.groups_due import GroupDecision, named_fee
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.meeting import evidence_between
from pipeline.domain.reconciliation.desk.rows import Entry
from pipeline.domain.reconciliation.groups.differences import REFERENCE, Difference, difference
from pipeline.domain.reconciliation.groups.found import Group
from pipeline.domain.reconciliation.groups.kinds import Named, named_pair
from pipeline.domain.reconciliation.groups.likeness import Likeness, share_reference
from pipeline.domain.reconciliation.groups.worth import REFERENCE as BY_REFERENCE
from pipeline.domain.reconciliation.scoring.item import Item


class Differing(msgspec.Struct, frozen=True, gc=False):
    """A confirmed pair that differs."""

    edge: Edge
    named: Named
    """The break of the item that is due."""
    explains_itself: bool
    """Whether the amounts say in what they differ, and the texts that they are of one business; amounts that
    agree, such as at the day's rate, need no texts."""
    shares_reference: bool

    def is_sure(self, groups: GroupDecision) -> bool:
        """Whether the pair may be claimed: it explains itself, and no group wants one of its items."""
        if self.shares_reference:
            return True
        return self.explains_itself and not any(_wants(group, self.edge) for group in groups.suggested)


def difference_of(account: AccountDesk, edge: Edge) -> Difference | None:
    """Return in what a pair differs; None if in nothing, or only in the references that both have."""
    return _difference(*_items(account, edge), account)


def differing_pair(account: AccountDesk, due: Entry, pairs: Iterable[Decided]) -> Differing | None:
    """Return the confirmed pair of a due item, if it has one that differs."""
    for one in pairs:
        line, posting = _items(account, one.edge)
        found = _difference(line, posting, account)
        if one.outcome is Outcome.CONFIRMED and found is not None:
            named = named_pair(found, line, posting, due.key)
            agrees = amounts_agree(evidence_between(account, line.key, posting.key))
            explains_itself = agrees or (
                found.telling and Likeness(account.knowledge).are_like(line, posting)
            )
            return Differing(one.edge, named, explains_itself, share_reference(line, posting))
    return None


def is_likelier(group: Group, pair: Differing) -> bool:
    """Whether a confirmed group comes before a confirmed pair that differs."""
    return not _is_pair(group, pair.edge) and (group.rule == BY_REFERENCE or not pair.shares_reference)


def named_less(account: AccountDesk, due: Entry, group: Group) -> Named:
    """Return what is between the two sides of a group that are not equal; `due`: its item that is due."""
    if len(group.keys) > 2:
        return named_fee(due, group)
    line, posting = (as_item(account.worded(key)) for key in group.keys)
    found = difference(line, posting, account.knowledge)
    assert found is not None, "the amounts differ"
    return named_pair(found, line, posting, due.key)


def _items(account: AccountDesk, edge: Edge) -> tuple[Item, Item]:
    return as_item(account.worded(edge.line)), as_item(account.worded(edge.posting))


def _difference(line: Item, posting: Item, account: AccountDesk) -> Difference | None:
    found = difference(line, posting, account.knowledge)
    return None if found is not None and found.kind == REFERENCE else found


def _wants(group: Group, edge: Edge) -> bool:
    return not _is_pair(group, edge) and (edge.line in group.lines or edge.posting in group.postings)


def _is_pair(group: Group, edge: Edge) -> bool:
    return group.keys == (edge.line, edge.posting)
