"""The events of breaks' lives, on reconciliation-results, and the journals that corrections ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name
from pipeline.domain.kernel.outbox import envelope
from pipeline.domain.reconciliation.breaks.kinds import type_of
from pipeline.domain.reconciliation.breaks.rows import Correction, Life, as_event_legs
from pipeline.domain.reconciliation.breaks.scope import Scope

TOPIC = "reconciliation-results"
JOURNALS = "ledger-commands"
APPROVER_CHARS_MAX = 256
"""Of what the postings of a correction say of who has approved it: the bound of metadata."""


def _emit(scope: Scope, event: Any) -> None:
    scope.out.emit(TOPIC, scope.record_key, event)


def say_opened(scope: Scope, break_id: str, life: Life) -> None:
    """Emit that a break was opened."""
    lines = tuple(ev.LineRef(*msgspec.structs.astuple(line)) for line in life.counterpart_lines)
    event = ev.BreakOpened(
        *envelope(scope.cause, f"break_opened/{break_id}"),
        break_id=break_id,
        type=type_of(life.kind, life.is_line),
        account_id=scope.cause.account_id,
        amount_minor=life.amount_minor,
        currency=life.currency,
        statement_id=life.statement_id,
        line_no=life.line_no,
        posting_id=life.posting_id,
        detail=life.detail,
        kind=life.kind,
        difference_minor=life.difference_minor,
        materiality=life.materiality,
        since=life.since,
        line_id=life.line_id,
        counterpart_lines=lines or None,
        counterpart_postings=life.counterpart_postings or None,
    )
    _emit(scope, event)


def say_resolved(scope: Scope, break_id: str, life: Life, journal_id: str | None = None) -> None:
    """Emit that a break is over; `life.resolution` says how."""
    assert life.resolution is not None, "a break that is over says how"
    event = ev.BreakResolved(
        *envelope(scope.cause, f"break_resolved/{break_id}"),
        break_id=break_id,
        type=type_of(life.kind, life.is_line),
        account_id=scope.cause.account_id,
        resolution=life.resolution,
        statement_id=life.statement_id,
        posting_id=life.posting_id,
        kind=life.kind,
        line_no=life.line_no,
        journal_id=journal_id,
        actor=getattr(scope.cause, "actor", None),
    )
    _emit(scope, event)


def say_changed(
    scope: Scope,
    break_id: str,
    life: Life,
    change: str,
    *,
    text: str | None = None,
    correction: Correction | None = None,
    code: str | None = None,
) -> None:
    """Emit what has happened to a break; `change`: a symbol of BreakChange."""
    event = ev.BreakChanged(
        *envelope(scope.cause, f"break_changed/{break_id}/{change}"),
        account_id=scope.cause.account_id,
        break_id=break_id,
        change=change,
        status=life.status,
        assignee=life.assignee,
        text=text,
        correction_id=None if correction is None else correction.correction_id,
        journal_id=None if correction is None else correction_name(break_id, correction.number),
        code=code,
        actor=getattr(scope.cause, "actor", None),
    )
    _emit(scope, event)


def say_proposed(scope: Scope, break_id: str, life: Life, correction: Correction) -> None:
    """Emit that a correction waits for a second person."""
    reverses = correction.reverses
    event = ev.CorrectionProposed(
        *envelope(scope.cause, f"correction_proposed/{break_id}"),
        account_id=scope.cause.account_id,
        break_id=break_id,
        correction_id=correction.correction_id,
        journal_id=correction_name(break_id, correction.number),
        write_off=correction.is_write_off,
        legs=as_event_legs(correction.legs),
        reason=correction.reason,
        reverses=None if reverses is None else correction_name(break_id, reverses),
        amount_minor=correction.amount_minor,
        currency=life.currency,
        materiality=life.materiality,
        actor=correction.actor,
    )
    _emit(scope, event)


def refuse(scope: Scope, action: str, code: str) -> None:
    """Emit that an action had no effect; `action`: its name, `code`: a symbol of BreakActionCode."""
    cause = scope.cause
    event = ev.BreakActionRefused(
        *envelope(cause, f"refused:{action}"),
        account_id=cause.account_id,
        break_id=getattr(cause, "break_id", None),
        action=action,
        code=code,
        correction_id=getattr(cause, "correction_id", None),
        actor=cause.actor,
    )
    _emit(scope, event)


def ask_ledger(scope: Scope, break_id: str, correction: Correction) -> None:
    """Send the journal of an approved correction, or the reversal of an earlier one, to the ledger.

    It goes by the key of the account, so to this partition's own branch, which is the journal's home.
    """
    cause, journal_id = scope.cause, correction_name(break_id, correction.number)
    common = envelope(cause, f"journal/{journal_id}")
    command: ev.JournalSubmitted | ev.JournalReversed
    if correction.reverses is not None:
        command = ev.JournalReversed(
            *common,
            journal_id=correction_name(break_id, correction.reverses),
            account_id=cause.account_id,
            reversal_id=journal_id,
            legs=(),
            reason=correction.reason,
            effective_at=None,
            late="NEXT_PERIOD",
            actor=correction.actor,
        )
    else:
        command = ev.JournalSubmitted(
            *common,
            journal_id=journal_id,
            account_id=cause.account_id,
            legs=as_event_legs(correction.legs),
            reference=correction.reference,
            reason=correction.reason,
            effective_at=None,
            late="NEXT_PERIOD",
            actor=correction.actor,
            metadata={"break_id": break_id, "approved_by": _name(cause.actor)},
        )
    scope.out.emit(JOURNALS, scope.record_key, command)


def _name(actor: ev.Actor) -> str:
    return f"{actor.issuer} {actor.subject}"[:APPROVER_CHARS_MAX]


def say_suggested(
    scope: Scope, item: ev.LineRef | str, candidates: Sequence[ev.MatchCandidate], weights_sha256: str | None
) -> None:
    """Emit what may belong to an item, the best first; `item`: a line, or the id of a posting."""
    line, posting = (item, None) if isinstance(item, ev.LineRef) else (None, item)
    named = posting if line is None else f"{line.statement_id}/{line.line_no}/{line.line_id or ''}"
    event = ev.MatchSuggested(
        *envelope(scope.cause, f"match_suggested/{'posting' if line is None else 'line'}/{named}"),
        account_id=scope.cause.account_id,
        statement_id=None if line is None else line.statement_id,
        line_no=None if line is None else line.line_no,
        line_id=None if line is None else line.line_id,
        posting_id=posting,
        candidates=tuple(candidates),
        weights_sha256=weights_sha256,
    )
    _emit(scope, event)
