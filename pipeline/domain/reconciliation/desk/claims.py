"""Claims: items become one match, once. Rows and event are written in one transaction.

The first line, or the first posting where there is no line, leads: its row names the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.breaks import facts, states, summary
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import booked_day_of
from pipeline.domain.reconciliation.desk.results import say_matched
from pipeline.domain.reconciliation.desk.rows import (
    AGAIN,
    ARRIVED,
    CLAIMED,
    CORRECTION,
    INFORMATION,
    MISSING,
    OPEN,
    REFERENCE,
    Entry,
    Line,
    Posting,
    row_of,
)
from pipeline.domain.reconciliation.scoring.lags import with_lag

_NO_WORDS: dict[str, Any] = {"words": (), "counterparty": (), "sought": ()}


def is_free(scope: Scope, entry: Entry) -> bool:
    """Whether a rule may match an item: open, and the ledger is asked for no correction of its break."""
    if entry.status not in (OPEN, MISSING):
        return False
    life = scope.life(entry.break_id) if entry.break_id else None
    return life is None or not (facts.is_reserved(life) or life.explained_minor)


def claim(
    account: AccountDesk,
    scope: Scope,
    entries: Iterable[Entry],
    tier: str,
    score: int | None = None,
    parts: tuple[ev.ScorePart, ...] | None = None,
    weights_sha256: str | None = None,
) -> None:
    """Make free items one match, and say so. `entries`: as their rows are, or new ones that have no row yet.

    The breaks of the items are resolved, their edges go.
    """
    by_key = {one.key: one for one in entries}
    leader, *partners = sorted(by_key)  # keys of lines come first
    ranked = [by_key[key] for key in (leader, *partners)]
    for key in (leader, *partners):
        entry = by_key[key]
        assert entry.status != CLAIMED, "an item is claimed once"
        _drop_edges(account, key)
        if entry.break_id:
            facts.matched(scope, entry.break_id)
        _write_claimed(account, scope, entry, leader, tuple(partners) if key == leader else (), tier)
    account.end(scope.watermark, row_of(account.part, leader))
    is_pair = len(ranked) == 2 and tier != CORRECTION
    if is_pair and isinstance(ranked[0], Line) and isinstance(ranked[1], Posting):
        lag = booked_day_of(ranked[0]) - ranked[1].day
        account.desk.lags = with_lag(account.desk.lags, lag)
    say_matched(scope, ranked, tier, score, parts, weights_sha256)


def _write_claimed(
    account: AccountDesk, scope: Scope, entry: Entry, leader: bytes, partners: tuple[bytes, ...], tier: str
) -> None:
    more: dict[str, Any] = {}
    if tier == REFERENCE:
        account.forget_texts(entry.key)
        more = _NO_WORDS
    life = scope.life(entry.break_id) if tier == CORRECTION else None
    is_written_off = life is not None and life.status == states.WRITTEN_OFF
    standing = summary.WRITTEN_OFF if is_written_off else tier
    if standing != entry.standing:
        figures.moves(account, scope, entry, standing)
    claimed = msgspec.structs.replace(
        entry,
        **more,
        status=CLAIMED,
        standing=standing,
        tier=tier,
        leader=leader,
        partners=partners,
        ended_at=scope.watermark,
    )
    account.write(claimed)


def match_of(account: AccountDesk, entry: Entry) -> list[Entry]:
    """Return the items of the match that a claimed item is of, the leader first."""
    leader = account.item(entry.leader)
    if leader is None:
        return []
    others = (account.item(key) for key in leader.partners)
    return [leader, *(one for one in others if one is not None)]


def undo(account: AccountDesk, scope: Scope, members: Sequence[Entry], due_at: int) -> list[Entry]:
    """Open the items of a match again, due at a time; breaks that it has resolved are reopened.

    Return the items as they are now. Nothing else is said: whoever undoes it says why. An item with an open
    break is MISSING again; its words are not counted again when it meets others (`rows.AGAIN`).
    """
    opened = []
    for entry in members:
        if entry.break_id:
            facts.unmatched(scope, entry.break_id)
        life = scope.life(entry.break_id) if entry.break_id else None
        is_open = life is not None and life.status not in states.ENDED
        entry = figures.stands(account, scope, entry, figures.standing_by(life if is_open else None))
        again = msgspec.structs.replace(
            entry,
            status=MISSING if is_open else OPEN,
            break_id=entry.break_id if is_open else "",
            tier="",
            leader=b"",
            partners=(),
            ended_at=None,
            stage=ARRIVED if entry.stage == ARRIVED else AGAIN,
            due_at=due_at,
        )
        opened.append(account.write(again))
    return opened


def sweep_match(account: AccountDesk, scope: Scope, key: bytes) -> None:
    """Delete the items of a match whose windows are over, where the leader's key has come up.

    So goes a line that moves no money.
    """
    leader = account.item(key)
    if leader is None or not _is_over(scope, leader):
        return
    for one in (key, *leader.partners):
        entry = account.item(one)
        if entry is not None and _is_over(scope, entry):
            account.remove(one)


def sweep_accepted(account: AccountDesk, scope: Scope, entry: Entry) -> None:
    """Delete an item whose break was accepted as it is, where the break goes: nobody waits for it."""
    if entry.status == MISSING:
        _drop_edges(account, entry.key)
        account.remove(entry.key)


def _is_over(scope: Scope, entry: Entry) -> bool:
    return entry.status in (CLAIMED, INFORMATION) and scope.is_over(entry.ended_at)


def _drop_edges(account: AccountDesk, key: bytes) -> None:
    """Remove the edges of an item, from both ends."""
    edges = account.edges(key)
    for other, _ in edges:
        left = tuple(one for one in account.edges(other) if one[0] != key)
        account.put_edges(other, left)
    if edges:
        account.put_edges(key, ())
