"""The end of a held journal on its home branch: confirmed as a whole or in parts, voided, or out of time.

    journal_confirmed -> all that is held is posted, or what it names; the rest is released, or stays held
    journal_voided, its expiry (`due`) -> what is still held is released

As a payment of which something was captured is settled, a journal of which a part is posted ends as POSTED,
whatever ends it.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.money import Overflow
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.books import Books
from pipeline.domain.ledger.due import Due
from pipeline.domain.ledger.expected_sequence import moved_on
from pipeline.domain.ledger.journal_home import HomeJournal
from pipeline.domain.ledger.journal_legs import end_legs_here, post_part_here, tell_end
from pipeline.domain.ledger.journal_parts import (
    CONFIRMATIONS_MAX,
    confirmation_of,
    left_legs,
    part_code,
    split,
)
from pipeline.domain.ledger.journals import (
    EXPIRED,
    HELD,
    POSTED,
    VOIDED,
    Journal,
    read_journal,
)
from pipeline.domain.ledger.pairs import Leg
from pipeline.domain.ledger.repeats import confirmation_code


def confirm(event: ev.JournalConfirmed, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post a journal that is held until it is confirmed, or a part of it."""
    home = _held(event, "journal_confirmed", watermark, at, rows, out)
    if home is None:
        return
    code = _confirmation_refusal(event, home)
    if code is not None:
        return _refuse(event, "journal_confirmed", code, out)
    sequence = moved_on(event, event.account_id, rows)
    if sequence is not None:
        return _refuse(event, "journal_confirmed", "sequence_mismatch", out, sequence)
    journal, left = home.journal, left_legs(home.journal)
    part = confirmation_of(event, left)
    if part.rest:
        # A confirmation of the whole needs no id of its own: whatever comes later finds the journal posted.
        known = bool(journal.confirmations) or event.confirmation_id is not None
        return home.end(POSTED, part=part if known else None, confirmation_id=event.confirmation_id)
    journal.confirmations = [*journal.confirmations, part]
    try:
        _post_part(home, *split(left, dict(part.amounts)), part.final)
    except Overflow:
        _refuse(event, "journal_confirmed", "overflow", out)


def _confirmation_refusal(event: ev.JournalConfirmed, home: HomeJournal) -> str | None:
    """Return why a held journal is not confirmed so, or None."""
    if event.legs is not None:
        code = part_code(event.legs, left_legs(home.journal))
        if code is not None:
            return code
    if len(home.journal.confirmations) >= CONFIRMATIONS_MAX:
        return "too_many_captures"
    return "period_closed" if home.is_late() else None


def _post_part(home: HomeJournal, now: list[Leg], rest: list[Leg], final: bool) -> None:
    """Post a part of a held journal on all branches; `final`: release the rest.

    Raises: Overflow where an earlier version has kept no room for it here, before anything is changed.
    """
    event, journal, books = home.event, home.journal, Books(home.event, home.at, home.rows)
    about = home.about(books)
    posts, keeps = home.branches(now), home.branches(rest)
    own_now, own_rest = posts.pop(home.at.partition, []), keeps.pop(home.at.partition, [])
    held, key = home.held(own_rest), home.own_key()
    if own_now:
        post_part_here(held, own_now, own_rest, final, about, key, books, home.out)
    elif own_rest and final:
        end_legs_here(held, False, about, key, books, home.out)
    for branch, legs in posts.items():
        amounts = tuple(ev.LegPart(leg.leg_no, leg.amount_minor) for leg in legs)
        first = min([*legs, *keeps.pop(branch, [])], key=lambda leg: leg.leg_no)
        tell_end(event, journal.account_id, {branch: first}, True, about, home.out, legs=amounts, final=final)
    if final:
        there = {branch: legs[0] for branch, legs in keeps.items()}
        tell_end(event, journal.account_id, there, False, about, home.out)
    journal.posted_at = about.when.latest(journal.posted_at, event.occurred_at)
    home.confirmed(final or not rest, event.confirmation_id)


def void(event: ev.JournalVoided, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release what is held of a journal that is held until it is confirmed."""
    home = _held(event, "journal_voided", watermark, at, rows, out)
    if home is None:
        return
    sequence = moved_on(event, event.account_id, rows)
    if sequence is not None:
        return _refuse(event, "journal_voided", "sequence_mismatch", out, sequence)
    home.end(VOIDED, "cancelled")


def _held(
    event: Any, command: str, watermark: int, at: Arrival, rows: Rows, out: Outbox
) -> HomeJournal | None:
    """Return a journal that is held; otherwise answer why the command has no effect."""
    journal = read_journal(rows, event.tenant_id, event.account_id, event.journal_id)
    code = _state_code(event, journal, watermark)
    if journal is None or code is not None:
        _refuse(event, command, code or "journal_not_found", out)
        return None
    return HomeJournal(event, event.journal_id, journal, at, rows, out)


def _state_code(event: Any, journal: Journal | None, watermark: int) -> str | None:
    """Return why a command finds no held journal, or that its own id is known; else None."""
    if journal is None:
        return "journal_not_found"
    known = confirmation_code(journal, event) if isinstance(event, ev.JournalConfirmed) else None
    if known is not None:
        return known
    if journal.state != HELD:
        return "already_settled" if journal.state == POSTED else "journal_not_held"
    over = journal.expires_at is not None and journal.expires_at <= watermark
    return "expired" if over else None


def _refuse(event: Any, command: str, code: str, out: Outbox, sequence: int | None = None) -> None:
    ids: dict[str, Any] = {"journal_id": event.journal_id, "account_sequence": sequence}
    if isinstance(event, ev.JournalConfirmed):
        ids["confirmation_id"] = event.confirmation_id
    refuse(out, event, command, event.account_id, None, code, **ids)


def expire(due: Due, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release what is held of a journal that has expired."""
    journal = read_journal(rows, due.tenant_id, due.account_id, due.id)
    assert journal is not None, "what falls due is held"
    envelope = (due.tenant_id, due.time, journal.correlation_id)
    # The last state is caused by the submission, and everything else by the event of that state.
    cause = ev.JournalVoided(
        journal.event_id, *envelope, None, due.id, journal.account_id, "its time is over"
    )
    expired = structs.replace(cause, event_id=derived_id(cause_name(cause), "journal_expired"))
    HomeJournal(expired, due.id, journal, at, rows, out).end(EXPIRED, "expired", cause=cause)
