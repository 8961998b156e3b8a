"""What becomes of an item: early where its evidence allows, and for good when it is due.

due -> the best assignment of its component -> nothing differs: claimed, SCORED
    -> a batch, a reversal, a group         -> claimed (`groups_due`)
    -> the best pair, which differs         -> a break says in what, and it is claimed, SCORED (`differing`)
    -> else people are asked, once          -> due again -> a break with its kind; it still waits
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.assigning.components import ITEMS_MAX, around
from pipeline.domain.reconciliation.assigning.edges import Edge, is_part
from pipeline.domain.reconciliation.assigning.outcomes import SUGGESTIONS_MAX, Decided, Outcome, decide
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.breaks.summary import SUGGESTED
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim, is_free
from pipeline.domain.reconciliation.desk.differing import (
    Differing,
    difference_of,
    differing_pair,
    is_likelier,
    named_less,
)
from pipeline.domain.reconciliation.desk.groups_due import (
    candidate_of,
    decide_groups,
    kind_of_due,
    tier_of,
)
from pipeline.domain.reconciliation.desk.groups_due import parts_of as parts_of_group
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.knowledge import weights_in_force, weights_key
from pipeline.domain.reconciliation.desk.meeting import edges_of, evidence_between, evidence_of, meet
from pipeline.domain.reconciliation.desk.neighbours import Neighbours
from pipeline.domain.reconciliation.desk.results import line_ref, open_break_of, parts_of, suggest
from pipeline.domain.reconciliation.desk.rows import (
    AGAIN,
    ARRIVED,
    ASKED,
    MET,
    MISSING,
    OPEN,
    SCORED,
    Entry,
    Line,
    Posting,
    PublishedWeights,
)
from pipeline.domain.reconciliation.desk.time import DECISION, MEETING
from pipeline.domain.reconciliation.groups.differences import DATE
from pipeline.domain.reconciliation.groups.found import Group
from pipeline.domain.reconciliation.groups.kinds import Named, name_partial
from pipeline.domain.reconciliation.groups.worth import REFERENCE as BY_REFERENCE
from pipeline.domain.reconciliation.scoring.lags import wait_days
from pipeline.domain.reconciliation.scoring.weights import Weights

EARLY_ITEMS_MAX = 32
"""Items of a component on arrival: what is further away changes little, and is looked at when it is due."""


def step(account: AccountDesk, scope: Scope, entry: Entry) -> int:
    """Do the next step of a due item, and return its units of work (`time.Step`)."""
    if entry.stage in (ARRIVED, AGAIN):
        return meet_and_decide(account, scope, entry)
    decide_due(account, scope, entry)
    return DECISION


def meet_and_decide(account: AccountDesk, scope: Scope, entry: Entry) -> int:
    """Let an item meet its candidates, and claim it where it is sure already; return the units of work."""
    weights = weights_at(account, scope)
    entry = meet(account, scope, entry, weights, _due_at(account, scope, entry))
    edges = edges_of(account, scope, weights, entry.key)
    pairs: Sequence[Decided] = ()
    if max((edge.score for edge in edges), default=weights.suggest_from) >= weights.confirm_from:
        pairs = _pairs(account, scope, entry, weights, early=True)
    if _claim_sure(account, scope, pairs, weights) or not entry.references:
        return MEETING
    return _decide_by_reference(account, scope, entry, weights, pairs)


def _decide_by_reference(
    account: AccountDesk, scope: Scope, entry: Entry, weights: Weights, pairs: Sequence[Decided]
) -> int:
    """Decide what a reference makes sure before an item is due: a wrong date, a sum, a part of one."""
    differing = differing_pair(account, entry, pairs)
    if differing is not None and differing.named.kind == DATE and differing.shares_reference:
        _claim_differing(account, scope, entry, weights, differing)
        return MEETING
    if not any(is_part(evidence_of(packed)) for _, packed in account.edges(entry.key)):
        return MEETING
    near = Neighbours(account, lambda other: is_free(scope, other), scope.is_over)
    beside = near.around(as_item(entry))
    groups = decide_groups(entry, beside, near)
    if groups.confirmed is not None and groups.confirmed.rule == BY_REFERENCE:
        _claim_group(account, scope, entry, groups.confirmed)
    elif groups.confirmed is None and not groups.suggested:
        part = name_partial(as_item(entry), beside)
        if part is not None:
            _open_break(account, scope, entry, part)
    return DECISION


def decide_due(account: AccountDesk, scope: Scope, entry: Entry) -> None:
    """Decide about an item that is due: claimed, suggested, or a break."""
    weights = weights_at(account, scope)
    pairs = _pairs(account, scope, entry, weights, early=False)
    if _claim_sure(account, scope, pairs, weights):
        return
    entry = account.worded(entry.key)
    near = Neighbours(account, lambda other: is_free(scope, other), scope.is_over)
    beside = near.around(as_item(entry))
    groups = decide_groups(entry, beside, near)
    differing = differing_pair(account, entry, pairs)
    if groups.confirmed is not None and (differing is None or is_likelier(groups.confirmed, differing)):
        _claim_group(account, scope, entry, groups.confirmed)
        return
    if differing is not None and differing.is_sure(groups):
        _claim_differing(account, scope, entry, weights, differing)
        return
    suggested = [_candidate(account, one.edge, weights) for one in pairs]
    asked = [*suggested, *(candidate_of(account, group) for group in groups.suggested)]
    candidates = sorted(asked, key=lambda one: -one.score)[:SUGGESTIONS_MAX]
    if candidates and entry.stage == MET:
        is_scored = any(one in suggested for one in candidates)
        suggest(scope, entry, candidates, weights.hash() if is_scored else None)
        entry = figures.stands(account, scope, entry, SUGGESTED)
        account.write(msgspec.structs.replace(entry, stage=ASKED, due_at=_again_at(account, scope)))
        return
    _open_break(account, scope, entry, kind_of_due(entry, beside))


def weights_at(account: AccountDesk, scope: Scope) -> Weights:
    """Return the weights in force at the account's time."""
    owners = (account.account[0], "*")
    return weights_in_force(
        (account.get(weights_key(owner), PublishedWeights) for owner in owners), scope.watermark
    )


def _pairs(account: AccountDesk, scope: Scope, entry: Entry, weights: Weights, early: bool) -> list[Decided]:
    """Return the pairs of an item: the one that is confirmed by its score and margin, or those to suggest."""
    limit = EARLY_ITEMS_MAX if early else ITEMS_MAX
    edges = around(entry.key, lambda key: edges_of(account, scope, weights, key), limit)
    return decide(edges, weights, early, entry.key)


def _claim_sure(account: AccountDesk, scope: Scope, pairs: Sequence[Decided], weights: Weights) -> bool:
    """Claim a confirmed pair in which nothing differs; return whether there is one."""
    for one in pairs:
        if one.outcome is Outcome.CONFIRMED and difference_of(account, one.edge) is None:
            _claim(account, scope, one.edge, weights)
            return True
    return False


def _claim_differing(
    account: AccountDesk, scope: Scope, entry: Entry, weights: Weights, pair: Differing
) -> None:
    _open_break(account, scope, entry, pair.named)
    _claim(account, scope, pair.edge, weights)


def _claim_group(account: AccountDesk, scope: Scope, entry: Entry, group: Group) -> None:
    if group.fee_minor:
        _open_break(account, scope, entry, named_less(account, entry, group))
    members = [account.worded(key) for key in group.keys]
    claim(account, scope, members, tier_of(group), group.score, parts_of_group(group))


def _claim(account: AccountDesk, scope: Scope, edge: Edge, weights: Weights) -> None:
    pair = account.worded(edge.posting), account.worded(edge.line)
    parts = parts_of(weights, evidence_between(account, edge.posting, edge.line))
    claim(account, scope, pair, SCORED, edge.score, parts, weights.hash())


def _candidate(account: AccountDesk, edge: Edge, weights: Weights) -> ev.MatchCandidate:
    line, posting = account.item(edge.line), account.item(edge.posting)
    assert isinstance(line, Line) and isinstance(posting, Posting)
    parts = parts_of(weights, evidence_between(account, edge.posting, edge.line))
    return ev.MatchCandidate((line_ref(line),), (posting.posting_id,), edge.score, parts)


def _open_break(account: AccountDesk, scope: Scope, entry: Entry, named: Named | None) -> None:
    if entry.status != OPEN:
        return
    assert named is not None, "what moves no money does not wait"
    break_id = open_break_of(account, scope, entry, named)
    entry = figures.stands(account, scope, entry, figures.standing_by(scope.life(break_id)))
    account.write(msgspec.structs.replace(entry, status=MISSING, break_id=break_id, breaks=entry.breaks + 1))


def _due_at(account: AccountDesk, scope: Scope, entry: Entry) -> int:
    """Return when an item is decided: after the usual wait from its day on, at the earliest in a day."""
    came_at = min(as_item(entry).booked_day * MICROSECONDS_PER_DAY, scope.watermark)
    wait = (wait_days(account.desk.lags) + 1) * MICROSECONDS_PER_DAY
    return max(came_at + wait, scope.watermark + MICROSECONDS_PER_DAY)


def _again_at(account: AccountDesk, scope: Scope) -> int:
    return scope.watermark + wait_days(account.desk.lags) * MICROSECONDS_PER_DAY
