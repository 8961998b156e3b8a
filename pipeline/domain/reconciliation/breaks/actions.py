"""What people do about breaks: each action is done as a whole, or refused with a code.

The order of reasons, where several hold: it can be no action (a dead letter); its time (`too_old`); the break
(`break_not_found`); it came before (`exists`); nobody is named (`actor_required`); what the break is now (the
table of `states`); how many actions there were (`too_many_actions`); what the action says; who acts.

Invariants: a correction has a maker and a checker, two people that differ; what the checker names is what he
gets, since the content under a correction_id never changes; an action has one effect, however often it comes.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import parse_correction
from pipeline.domain.kernel.ids import ID_CHARS_MAX, check_ids
from pipeline.domain.kernel.outbox import Arrival, Reject
from pipeline.domain.kernel.texts import check_texts
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.bounds import (
    ACTIONS_MAX,
    ASSIGNEE_CHARS_MAX,
    COMMENTS_MAX,
    TEXT_CHARS_MAX,
)
from pipeline.domain.reconciliation.breaks.corrections import WRITE_OFF, flaw_of, write_off_legs
from pipeline.domain.reconciliation.breaks.outputs import (
    ask_ledger,
    refuse,
    say_changed,
    say_proposed,
    say_resolved,
)
from pipeline.domain.reconciliation.breaks.rows import Correction, Leg, Life, fields_of, legs_of
from pipeline.domain.reconciliation.breaks.scope import Scope

Action = (
    ev.BreakAssigned
    | ev.BreakCommented
    | ev.CorrectionSuggested
    | ev.CorrectionApproved
    | ev.CorrectionRejected
    | ev.BreakWrittenOff
    | ev.BreakDisputed
    | ev.BreakReopened
)
NAMES: dict[type, str] = {
    ev.BreakAssigned: "break_assigned",
    ev.BreakCommented: "break_commented",
    ev.CorrectionSuggested: "correction_suggested",
    ev.CorrectionApproved: "correction_approved",
    ev.CorrectionRejected: "correction_rejected",
    ev.BreakWrittenOff: "break_written_off",
    ev.BreakDisputed: "break_disputed",
    ev.BreakReopened: "break_reopened",
}
_TALK = frozenset({states.ASSIGN, states.UNASSIGN, states.COMMENT, states.DISPUTE})
"""What leaves room for decisions."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]").search
"""Tab and line feed are text."""


def act(scope: Scope, event: Action, at: Arrival) -> None:
    """Do what a person asks for about a break, or refuse it.

    Raises Reject, with nothing written: invalid_id, invalid_actor, invalid_text.
    """
    check_action(event)
    life = scope.life(event.break_id)
    digest = blake2b(event.event_id.encode(), digest_size=16).digest()
    code = _unfit(scope, event, at, life, digest)
    if code is not None or life is None:
        return refuse(scope, NAMES[type(event)], code or "break_not_found")
    happened = _happened(event, life)
    entry = states.next_of(life.status, happened)
    assert entry is not None, "the table has an entry for each action"
    if happened == states.REOPEN and life.status in states.ENDED and life.explained_minor:
        entry = "correction_posted"  # what the ledger has posted is taken back, not forgotten
    if not states.is_status(entry):
        return refuse(scope, NAMES[type(event)], entry)
    if len(life.acted) >= (COMMENTS_MAX if happened in _TALK else ACTIONS_MAX):
        return refuse(scope, NAMES[type(event)], "too_many_actions")
    acted = msgspec.structs.replace(life, acted=(*life.acted, digest), changed_at=event.occurred_at)
    done = _DO[type(event)](scope, event, acted, happened, entry)
    if isinstance(done, str):
        refuse(scope, NAMES[type(event)], done)


def check_action(event: Any) -> None:
    """Check what every action has. Raises Reject: invalid_id, invalid_actor, invalid_text."""
    check_ids(event)
    check_texts(event)
    for name in ("break_id", "correction_id", "reverses"):
        given = getattr(event, name, None)
        if given is not None and (not given or len(given) > ID_CHARS_MAX or "\0" in given):
            raise Reject("invalid_id", name)
    for name, most in (
        ("text", TEXT_CHARS_MAX),
        ("reason", TEXT_CHARS_MAX),
        ("assignee", ASSIGNEE_CHARS_MAX),
    ):
        given = getattr(event, name, None)
        if given is not None and (not given.strip() or len(given) > most or _CONTROL(given)):
            raise Reject("invalid_text", name)
    reference = getattr(event, "reference", "")
    if len(reference) > TEXT_CHARS_MAX or _CONTROL(reference):
        raise Reject("invalid_text", "reference")


def _unfit(scope: Scope, event: Action, at: Arrival, life: Life | None, digest: bytes) -> str | None:
    """Return the reason to refuse an action that depends on nothing that it says, or None."""
    if scope.watermark - min(event.occurred_at, at.recorded_at) > scope.keep_us:
        return "too_old"
    if life is None:
        return "break_not_found"
    if digest in life.acted:
        return "exists"
    return "actor_required" if event.actor is None else None


def _happened(event: Action, life: Life) -> str:
    """Return the row of the table that an action stands for."""
    match event:
        case ev.BreakAssigned():
            return states.UNASSIGN if event.assignee is None else states.ASSIGN
        case ev.BreakCommented():
            return states.COMMENT
        case ev.CorrectionSuggested():
            return states.SUGGEST if event.reverses is None else states.TAKE_BACK
        case ev.CorrectionApproved():
            pending = life.correction
            posts = pending is None or pending.legs or pending.reverses is not None
            return states.APPROVE if posts else states.ACCEPT
        case ev.CorrectionRejected():
            return states.REJECT
        case ev.BreakWrittenOff():
            return states.WRITE_OFF
        case ev.BreakDisputed():
            return states.DISPUTE
        case ev.BreakReopened():
            return states.REOPEN


def _assign(scope: Scope, event: ev.BreakAssigned, life: Life, _: str, status: str) -> None:
    life = msgspec.structs.replace(life, status=status, assignee=event.assignee)
    _change(scope, event.break_id, life, "ASSIGNED")


def _comment(scope: Scope, event: ev.BreakCommented, life: Life, _: str, status: str) -> None:
    _change(scope, event.break_id, life, "COMMENTED", text=event.text)


def _dispute(scope: Scope, event: ev.BreakDisputed, life: Life, _: str, status: str) -> None:
    life = msgspec.structs.replace(life, status=status)
    _change(scope, event.break_id, life, "DISPUTED", text=event.reason)


def _reopen(scope: Scope, event: ev.BreakReopened, life: Life, _: str, status: str) -> None:
    life = msgspec.structs.replace(life, status=status, resolution=None)
    _change(scope, event.break_id, life, "REOPENED", text=event.reason)


def _suggest(
    scope: Scope, event: ev.CorrectionSuggested, life: Life, happened: str, status: str
) -> str | None:
    legs, reverses = legs_of(event.legs), None
    if happened == states.TAKE_BACK:
        if parse_correction(event.reverses) != (event.break_id, life.posted):
            return "correction_not_found"
        if legs:
            return "invalid_legs"
        reverses = life.posted
    elif flaw := flaw_of(legs, event.account_id, life):
        return flaw
    _wait(scope, event, life, legs, reference=event.reference, reverses=reverses)
    return None


def _write_off(scope: Scope, event: ev.BreakWrittenOff, life: Life, _: str, status: str) -> str | None:
    legs = write_off_legs(event.account_id, life, scope.rules)
    if legs is None:
        return "write_off_account_missing"
    _wait(scope, event, life, legs, reference=WRITE_OFF, is_write_off=True)
    return None


def _wait(
    scope: Scope,
    event: ev.CorrectionSuggested | ev.BreakWrittenOff,
    life: Life,
    legs: tuple[Leg, ...],
    *,
    reference: str,
    reverses: int | None = None,
    is_write_off: bool = False,
) -> None:
    """Keep a correction until a second person decides."""
    assert event.actor is not None, "it was checked"
    correction = Correction(
        number=life.corrections + 1,
        correction_id=event.event_id,
        maker=fields_of(event.actor),
        reason=event.reason,
        reference=reference,
        before=life.status,
        is_write_off=is_write_off,
        reverses=reverses,
        legs=legs,
        amount_minor=-life.posted_minor if reverses is not None else life.left_minor if legs else 0,
    )
    life = msgspec.structs.replace(
        life,
        status=states.SUGGESTED,
        corrections=correction.number,
        correction=correction,
        refused=None,
    )
    _change(scope, event.break_id, life, "CORRECTION_SUGGESTED", text=event.reason, correction=correction)
    say_proposed(scope, event.break_id, life, correction)


def _approve(
    scope: Scope, event: ev.CorrectionApproved, life: Life, happened: str, status: str
) -> str | None:
    correction = life.correction
    if correction is None or correction.correction_id != event.correction_id:
        return "correction_not_found"
    assert event.actor is not None, "it was checked"
    if event.actor.key_id is not None or event.actor.session_id is None:
        return "programs_cannot_approve"
    if (event.actor.issuer, event.actor.subject) == (correction.actor.issuer, correction.actor.subject):
        return "maker_cannot_approve"
    if happened == states.ACCEPT:
        life = msgspec.structs.replace(life, status=status, correction=None, resolution="accepted")
        _change(scope, event.break_id, life, "WRITTEN_OFF", correction=correction)
        say_resolved(scope, event.break_id, life)
        return None
    sent = msgspec.structs.replace(correction, legs=())
    life = msgspec.structs.replace(life, status=status, correction=sent)
    _change(scope, event.break_id, life, "CORRECTION_APPROVED", correction=correction)
    ask_ledger(scope, event.break_id, correction)
    return None


def _reject(scope: Scope, event: ev.CorrectionRejected, life: Life, _: str, status: str) -> str | None:
    correction = life.correction
    if correction is None or correction.correction_id != event.correction_id:
        return "correction_not_found"
    before = states.returned(correction.before, life.assignee)
    life = msgspec.structs.replace(life, status=before, correction=None)
    _change(scope, event.break_id, life, "CORRECTION_REJECTED", text=event.reason, correction=correction)
    return None


def _change(
    scope: Scope,
    break_id: str,
    life: Life,
    change: str,
    *,
    text: str | None = None,
    correction: Correction | None = None,
) -> None:
    """Write a break that an action has changed, and say so."""
    life = scope.write(break_id, life)
    say_changed(scope, break_id, life, change, text=text, correction=correction)


_DO: dict[type, Any] = {
    ev.BreakAssigned: _assign,
    ev.BreakCommented: _comment,
    ev.CorrectionSuggested: _suggest,
    ev.CorrectionApproved: _approve,
    ev.CorrectionRejected: _reject,
    ev.BreakWrittenOff: _write_off,
    ev.BreakDisputed: _dispute,
    ev.BreakReopened: _reopen,
}
"""(scope, event, break with the action noted, what it stands for, next status) -> a refusal or None."""
