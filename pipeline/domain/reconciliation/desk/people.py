"""What people say: these items are one match, or they are not; and what they do about breaks.

    match_confirmed -> Claim of tier PERSON             match_rejected -> undone, and never again
    break_assigned, ... correction_approved, ... -> `breaks.actions`

The order of reasons: it can be no decision (a dead letter), `too_old`, `item_not_found` or `match_not_found`,
`actor_required`, `already_matched`, `correction_pending`.

A match that is undone is undone as a whole. A claimed item keeps the id of its break (`break_id`): by that
the break is reopened. What a correction explains is taken back by the correction, not by a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.breaks import facts
from pipeline.domain.reconciliation.breaks.actions import NAMES, Action, act
from pipeline.domain.reconciliation.breaks.matches import Decision, check_match, refuse_match
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.earlier import earlier_line, modern
from pipeline.domain.reconciliation.desk.rejections import digest_of, with_rejected
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    CORRECTION,
    EARLIER,
    INFORMATION,
    PERSON,
    Entry,
    line_item,
    posting_item,
)

Claim = Callable[[Sequence[Entry], str], None]
"""Claims open items as one match of a tier and says so; breaks of theirs are resolved (`claims.claim`)."""
Undo = Callable[[Sequence[Entry], int], object]
"""Opens all items of a match again, due at a time; breaks of theirs are reopened (`claims.undo`)."""


def decide_by_person(
    account: AccountDesk,
    scope: Scope,
    event: Action | Decision | ev.JournalAnswered,
    at: Arrival,
    claim: Claim,
    undo: Undo,
) -> None:
    """Do what a person says about a break or a match, or refuse it; or note what the ledger has answered.

    Raises Reject, with nothing written: what `act` and `check_match` raise.
    """
    if isinstance(event, ev.MatchConfirmed | ev.MatchRejected):
        _decide_match(account, scope, event, at, claim, undo)
    elif isinstance(event, ev.JournalAnswered):
        facts.answered(scope, event)
    else:
        assert type(event) in NAMES, "the stream passes on what people do"
        before = scope.life(event.break_id)
        act(scope, event, at)
        figures.follow(account, scope, event.break_id, before)


def _decide_match(
    account: AccountDesk, scope: Scope, event: Decision, at: Arrival, claim: Claim, undo: Undo
) -> None:
    check_match(event)
    if scope.watermark - min(event.occurred_at, at.recorded_at) > scope.keep_us:
        return refuse_match(scope, "too_old")
    is_confirmed = isinstance(event, ev.MatchConfirmed)
    entries = _items_of(account, scope, event)
    if entries is None:
        return refuse_match(scope, "item_not_found" if is_confirmed else "match_not_found")
    if event.actor is None:
        return refuse_match(scope, "actor_required")
    if is_confirmed:
        _confirm(account, scope, entries, claim)
    else:
        _reject(account, scope, entries, undo)
    return None


def _items_of(account: AccountDesk, scope: Scope, event: Decision) -> list[Entry] | None:
    """Return the items that a decision names, lines first; None where one is not known.

    A line is known by its line_id; by its statement and number alone if it is of an earlier row.
    """
    found: list[Entry | None] = [
        earlier_line(account, line.statement_id, line.line_no)
        if line.line_id is None
        else account.item(line_item(line.line_id))
        for line in event.lines
    ]
    found += [account.item(posting_item(one)) for one in event.posting_ids]
    entries = [one for one in found if one is not None and not scope.is_over(one.ended_at)]
    return entries if len(entries) == len(found) else None


def _confirm(account: AccountDesk, scope: Scope, entries: Sequence[Entry], claim: Claim) -> None:
    if any(one.status == INFORMATION for one in entries):
        return refuse_match(scope, "item_not_found")
    if any(one.status == CLAIMED for one in entries):
        return refuse_match(scope, "already_matched")
    if any(is_reserved(scope, one) for one in entries):
        return refuse_match(scope, "correction_pending")
    claim([_newest(account, scope, one) for one in entries], PERSON)
    return None


def is_reserved(scope: Scope, entry: Entry) -> bool:
    """Whether a correction is to explain an open item, or explains a part of it: nothing else may take it."""
    life = scope.life(entry.break_id) if entry.break_id and entry.status != CLAIMED else None
    return life is not None and (facts.is_reserved(life) or life.explained_minor != 0)


def _newest(account: AccountDesk, scope: Scope, entry: Entry) -> Entry:
    """Return an item in the newest form; it is written so, and counted."""
    if entry.form != EARLIER or entry.status == CLAIMED:
        return entry
    return account.write(figures.comes(account, scope, modern(account, entry)))


def _reject(account: AccountDesk, scope: Scope, entries: Sequence[Entry], undo: Undo) -> None:
    """Undo the match of which the items are, if they are of one; remember that they are none."""
    matched = _match_of(account, entries)
    if matched and matched[0].tier == CORRECTION:
        return refuse_match(scope, "match_not_found")
    if any(is_reserved(scope, one) for one in entries):
        return refuse_match(scope, "correction_pending")
    digests = {digest_of([one.key for one in entries])}
    if matched:
        digests.add(digest_of([one.key for one in matched]))
        undo(matched, scope.watermark + MICROSECONDS_PER_DAY)
    for key in dict.fromkeys(one.key for one in (*matched, *entries)):
        entry = account.item(key)
        assert entry is not None  # it was read above
        entry = _newest(account, scope, entry)
        for digest in sorted(digests):
            entry = with_rejected(entry, digest)
        account.write(entry)
    return None


def _match_of(account: AccountDesk, entries: Sequence[Entry]) -> list[Entry]:
    """Return all items of the match that all of some items are of, lines first; none if they are of none."""
    leaders = {one.leader for one in entries if one.status == CLAIMED}
    if len(leaders) != 1 or any(one.status != CLAIMED for one in entries):
        return []
    leader = account.item(leaders.pop()) if b"" not in leaders else None
    if leader is None:
        return []  # matched by the stream before, which did not keep with what
    items = [account.item(key) for key in (leader.key, *leader.partners)]
    return [one for one in items if one is not None]
