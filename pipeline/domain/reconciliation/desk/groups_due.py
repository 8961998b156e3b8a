"""A due item that has no counterpart of its own: a batch, a reversal, a group, or the kind of its break.

    due -> Neighbours.around -> find_batch -> find_reversal -> find_group -> GroupDecision
                                                            -> name_kind  -> Named

Nothing is claimed here: `deciding` claims what is confirmed and says what is suggested.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import as_item, details_of
from pipeline.domain.reconciliation.desk.neighbours import Neighbours
from pipeline.domain.reconciliation.desk.rejections import is_rejected
from pipeline.domain.reconciliation.desk.rows import Entry, Line
from pipeline.domain.reconciliation.groups import sayings
from pipeline.domain.reconciliation.groups.around import Around
from pipeline.domain.reconciliation.groups.batches import find_batch
from pipeline.domain.reconciliation.groups.bounds import SUGGESTIONS_MAX
from pipeline.domain.reconciliation.groups.differences import FEE
from pipeline.domain.reconciliation.groups.found import CONFIRMED, Found, Group, ranking
from pipeline.domain.reconciliation.groups.kinds import Named, name_kind
from pipeline.domain.reconciliation.groups.reversals import find_reversal
from pipeline.domain.reconciliation.groups.search import find_group
from pipeline.domain.reconciliation.groups.worth import REVERSAL

GROUP = "GROUP"
"""The tier of what is matched by a batch or a group; of a reversal it is REVERSAL."""


class GroupDecision(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a due item by groups."""

    confirmed: Group | None = None
    """To be claimed, all of it as one match."""
    suggested: tuple[Group, ...] = ()
    """For people, the best first, at most SUGGESTIONS_MAX."""


def tier_of(group: Group) -> str:
    """Return by what a group is matched: a symbol of MatchTier."""
    return REVERSAL if group.rule == REVERSAL else GROUP


def decide_groups(due: Entry, around: Around, near: Neighbours) -> GroupDecision:
    """Return the one group that a due item surely is of, or those that it may be of.

    `around`: what is around it (`near.around`). A batch comes first, since the statement says what is in it;
    then a reversal; then a group. What a person has rejected is none of them.
    """
    found = []
    for result in _searches(due, around, near):
        kept = [group for group in result.groups if not is_rejected(due, group.keys)]
        if result.outcome == CONFIRMED and kept:
            return GroupDecision(kept[0])
        found += kept
    return GroupDecision(None, tuple(ranking(found)[:SUGGESTIONS_MAX]))


def _searches(due: Entry, around: Around, near: Neighbours) -> list[Found]:
    item = as_item(due)
    found = []
    if isinstance(due, Line) and due.details:
        details = details_of(due)
        batch = find_batch(item, details, near.for_details(details), around.known).found
        if batch.outcome == CONFIRMED:
            return [batch]
        found.append(batch)
    found.append(find_reversal(item, around))
    if found[-1].outcome != CONFIRMED:
        found.append(find_group(item, around))
    return found


def kind_of_due(due: Entry, around: Around) -> Named | None:
    """Return the kind of the break that a due item is, or None if it moves no money."""
    return name_kind(as_item(due), around)


def named_fee(due: Entry, group: Group) -> Named:
    """Return what is between the two sides of a group less a fee; `due`: its item that is due."""
    others = tuple(key for key in group.keys if key != due.key)
    text = sayings.of_fee_of_group(group.fee_minor, due.currency)
    return Named(FEE, others, -group.fee_minor, "the sum is less by a fee", text)


def candidate_of(account: AccountDesk, group: Group) -> ev.MatchCandidate:
    """Return a group as people are asked about it."""
    lines, postings = [], []
    for key in group.keys:
        entry = account.item(key)
        assert entry is not None  # it was found in the index
        if isinstance(entry, Line):
            lines.append(ev.LineRef(entry.statement_id, entry.line_no, entry.line_id or None))
        else:
            postings.append(entry.posting_id)
    return ev.MatchCandidate(tuple(lines), tuple(postings), group.score, parts_of(group))


def parts_of(group: Group) -> tuple[ev.ScorePart, ...]:
    """Return what a group's score is made of."""
    return tuple(ev.ScorePart(name, worth) for name, worth in group.parts)
