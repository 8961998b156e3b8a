"""Journals as their commands and the branches make them: submitted, held, confirmed, voided, or due."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.verify.model import ledger_scheduled as scheduled
from pipeline.verify.model.ledger_accounts import customer
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import Due, advance, crowded, envelope_of, forget, over
from pipeline.verify.model.ledger_journals import (
    Group,
    Journal,
    change,
    due_of,
    give_back,
    group_key,
    hold_group,
    keep_group,
    keep_held,
    post_all,
    release_all,
    shares,
    too_late,
)
from pipeline.verify.model.ledger_pairs import (
    Leg,
    Refusal,
    by_entry,
    in_order,
    legs_of,
    why_not,
)
from pipeline.verify.model.ledger_parts import known_part, post_part, wanted_by, why_no_part
from pipeline.verify.model.ledger_portions import worked_out
from pipeline.verify.model.ledger_repeats import answer
from pipeline.verify.model.ledger_room import needy, why_no_room
from pipeline.verify.model.wire import (
    COMMANDS,
    JOURNAL_EVENTS,
    LONG_MAX,
    cause_of,
    derived,
    end_of_hold,
    row_key,
)

LEGS_MAX = 100


def submit(branch: Books, event: dict[str, Any]) -> None:
    advance(branch, [(leg["account_id"], leg["side"]) for leg in event["legs"][:LEGS_MAX]])
    journal, flaw = journal_of(event)
    known = branch.journal(event["account_id"], event["journal_id"])
    if known is None:
        return scheduled.wait_or_start(branch, event, journal, partial(start, flaw=flaw))
    code = answer(known.compared, journal.compared)
    branch.refuse("journal_submitted", event["account_id"], code, journal_id=event["journal_id"])


def journal_of(event: dict[str, Any]) -> tuple[Journal, Refusal | None]:
    """Return the journal that is submitted, and what is wrong with its shares."""
    legs, flaw = worked_out(legs_of(event["legs"]), event.get("shares"))
    journal = submitted(event, event["account_id"], legs, event["reference"])
    journal.effective_at, journal.late = event["effective_at"], event["late"]
    journal.expires_at, journal.metadata = end_of_hold(event), event.get("metadata")
    journal.execute_at = event.get("execute_at")
    return journal, flaw


def submitted(event: dict[str, Any], account_id: str, legs: list[Leg], reference: str) -> Journal:
    """Return a journal as an event starts it, with nothing held yet."""
    reason, caused = event["reason"], [event[name] for name in ("occurred_at", "correlation_id", "event_id")]
    content: tuple[Any, ...] = (in_order(legs), reference, reason, None, False, None, "NEXT_PERIOD", None, [])
    return Journal(account_id, "", "ok", None, *content, *caused)


def start(branch: Books, journal_id: str, journal: Journal, flaw: Refusal | None = None) -> None:
    """Hold the legs that are home's, and ask the other branches for theirs."""
    refusal = flaw or malformed(branch, journal)
    own = shares(branch, journal.legs).get(branch.number, [])
    present = {} if refusal else branch.moved_on(journal.account_id)
    if present:
        change(branch, journal_id, journal, "REFUSED", "sequence_mismatch", **present)
        return give_back(branch, journal)
    refusal = refusal or too_many_holds(branch, journal_id, journal, own) or why_not(branch, own)
    spread = {} if journal.expires_at is None else shares(branch, journal.legs)
    refusal = refusal or why_no_room(branch, own, needy(spread, branch.number))
    if refusal is not None:
        change(branch, journal_id, journal, "REFUSED", *refusal)
        return give_back(branch, journal)
    key = group_key(branch, journal.account_id, journal_id)
    if own:
        branch.groups[key] = Group(own, "HELD", room_for=needy(spread, branch.number) or None)
    others = [number for number in sorted(shares(branch, journal.legs)) if number != branch.number]
    if not others and journal.expires_at is None:
        return post_all(branch, journal_id, journal, held=False)
    if own:
        hold_group(branch, journal_id, branch.groups[key])
        keep_group(branch, key)
    if not others:
        return keep_held(branch, journal_id, journal)
    journal.waiting = others
    change(branch, journal_id, journal, "PREPARING", "ok")
    for number in others:
        legs = shares(branch, journal.legs)[number]
        asked = {"journal_id": journal_id, "home_account_id": journal.account_id}
        branch.say(
            COMMANDS,
            legs[0].account_id,
            "JournalLegsRequested",
            branch.id_of(f"legs_requested:{number}"),
            **asked,
            account_id=legs[0].account_id,
            legs=[leg._asdict() for leg in legs],
            room_for=needy(spread, number) or None,
        )


def malformed(branch: Books, journal: Journal) -> Refusal | None:
    """Return the first reason for which a journal is refused before any account is looked at."""
    legs = in_order(journal.legs)
    numbers = [leg.leg_no for leg in legs]
    negative = any(leg.leg_no < 0 or leg.entry_no < 0 for leg in legs)
    strange = journal.reverses is None and journal.account_id not in {leg.account_id for leg in legs}
    if not 2 <= len(legs) <= LEGS_MAX or negative or len(set(numbers)) < len(numbers) or strange:
        return Refusal("invalid_legs", None)
    places = {(leg.entry_no, leg.currency, leg.account_id, leg.side) for leg in legs}
    for leg in legs:
        who, other = ("debtor", "CREDIT") if leg.side == "DEBIT" else ("creditor", "DEBIT")
        if leg.amount_minor <= 0:
            return Refusal("amount_must_be_positive", leg.leg_no)
        if not customer(leg.account_id) and not journal.reverses_payment:
            return Refusal(f"{who}_not_found", leg.leg_no)
        if (leg.entry_no, leg.currency, leg.account_id, other) in places:
            return Refusal("accounts_must_differ", leg.leg_no)
    sums = [
        [sum(leg.amount_minor for leg in sides[side]) for side in ("DEBIT", "CREDIT")]
        for sides in by_entry(legs).values()
    ]
    if any(debits != credits for debits, credits in sums):
        return Refusal("legs_not_balanced", None)
    if any(debits > LONG_MAX for debits, _ in sums):
        return Refusal("overflow", None)
    if over(branch, journal.expires_at):
        return Refusal("expired", None)
    counts = journal.occurred_at if journal.effective_at is None else journal.effective_at
    closed = branch.closed_through.get(branch.cause.fields["tenant_id"])
    if journal.late == "REFUSE" and closed is not None and counts <= closed:
        return Refusal("period_closed", None)
    return None


def too_many_holds(branch: Books, journal_id: str, journal: Journal, own: list[Leg]) -> Refusal | None:
    """Return the first leg of a journal to be held whose account has as many open holds as it may have."""
    if journal.expires_at is None:
        return None
    if branch.witness is not None:
        said = branch.next_said(JOURNAL_EVENTS, "JournalUpdated", journal_id=journal_id)
        known = said is not None and said["code"] == "too_many_holds"
        return Refusal("too_many_holds", said["leg_no"]) if said is not None and known else None
    full = (leg for leg in own if crowded(branch, leg.account_id, leg.side))
    return next((Refusal("too_many_holds", leg.leg_no) for leg in full), None)


# --- the end of a held journal


def why_not_held(branch: Books, event: dict[str, Any], journal: Journal | None, command: str) -> str | None:
    """Return why a journal is not to be confirmed or voided."""
    if journal is None or journal.account_id != event["account_id"]:
        return "journal_not_found"
    confirms = command == "journal_confirmed"
    known = known_part(journal, event) if confirms else None
    if known is not None:
        return known
    if journal.state != "HELD":
        return "already_settled" if journal.state == "POSTED" else "journal_not_held"
    if over(branch, journal.expires_at):
        return "expired"
    flaw = why_no_part(journal, event) if confirms else None
    if flaw is None and confirms and too_late(branch, journal):
        return "period_closed"
    moved = flaw is None and branch.moved_on(event["account_id"])
    return "sequence_mismatch" if moved else flaw


def confirm(branch: Books, event: dict[str, Any]) -> None:
    advance(branch, [(event["account_id"], "DEBIT")])
    journal_id, given = event["journal_id"], event.get("confirmation_id")
    journal = branch.journal(event["account_id"], journal_id)
    code = why_not_held(branch, event, journal, "journal_confirmed")
    if code is None and journal is not None:
        due, wanted = due_of(branch, journal_id, journal), wanted_by(event)
        if wanted.amounts is None:
            forget(branch, due)
            name = wanted.name if journal.parts or given is not None else None
            return post_all(branch, journal_id, journal, name=name, final=wanted.final, confirmation_id=given)
        code = post_part(branch, event, journal)
        if code is None:
            return None if journal.state == "HELD" else forget(branch, due)
    about = {"journal_id": journal_id, "confirmation_id": given}
    about |= branch.moved_on(event["account_id"]) if code == "sequence_mismatch" else {}
    branch.refuse("journal_confirmed", event["account_id"], code or "", **about)


def void(branch: Books, event: dict[str, Any]) -> None:
    advance(branch, [(event["account_id"], "DEBIT")])
    journal = branch.journal(event["account_id"], event["journal_id"])
    if journal is not None and journal.state == "SCHEDULED":
        return scheduled.take_back(branch, event, journal)
    code = why_not_held(branch, event, journal, "journal_voided")
    if code is not None or journal is None:
        code = code or "journal_not_found"
        about = {"journal_id": event["journal_id"]}
        about |= branch.moved_on(event["account_id"]) if code == "sequence_mismatch" else {}
        return branch.refuse("journal_voided", event["account_id"], code, **about)
    forget(branch, due_of(branch, event["journal_id"], journal))
    release_all(branch, event["journal_id"], journal, "VOIDED", "cancelled")


def scheduled_is_due(branch: Books, due: Due) -> None:
    """Submit a journal whose time has come, as if it had happened then."""
    event = scheduled.forget_waiting(branch, due) | {"occurred_at": due.at}
    del branch.journals[due.tenant, due.account_id, due.subject]
    branch.row(row_key("j", due.tenant, due.subject, due.account_id), None)
    journal, flaw = journal_of(event)
    with branch.caused_by("JournalSubmitted", event):
        start(branch, due.subject, journal, flaw)


def journal_is_due(branch: Books, due: Due) -> None:
    journal = branch.journals[due.tenant, due.account_id, due.subject]
    subject = {"account_id": journal.account_id, "journal_id": due.subject}
    fields = {"tenant_id": due.tenant, **subject, "event_id": journal.event_id}
    submitted_by = branch.cause._replace(event="JournalSubmitted", fields=fields)
    event_id = derived(cause_of(submitted_by), "journal_expired")
    # What has expired says so under the id of that state, whatever its state is then.
    state_id = derived(cause_of(submitted_by), "journal_posted") if journal.parts else event_id
    said: dict[str, Any] = {"event_id": state_id, "causation_id": journal.event_id}
    with branch.caused_by("JournalVoided", envelope_of(due, event_id, journal.correlation_id, **subject)):
        release_all(branch, due.subject, journal, "EXPIRED", "expired", **said)
