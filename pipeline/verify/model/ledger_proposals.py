"""Commands that need two people: proposed by one, approved by another, each named by what it says.

    a command -> does it need two, and could it do anything? -> kept, until it is approved, rejected or over

What never changes: nothing is applied that needs two people and has one; nobody approves what they have said
themselves; what is approved is what was read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_answers import answer_decided
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import Due, envelope_of, forget, plan, seen_at
from pipeline.verify.model.ledger_endings import forget_named
from pipeline.verify.model.ledger_limits import flaw_of
from pipeline.verify.model.ledger_not_yet import too_old
from pipeline.verify.model.ledger_past import refused_past
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    DAY_US,
    JOURNAL_EVENTS,
    KEY_FIELD,
    LAYOUT,
    PAYMENT_EVENTS,
    Dead,
    msgpack,
    row_key,
)

OPEN_MAX = 100
ROW_BYTES_MAX = 65_536
CORRECTIONS = ("JournalReversed", "PaymentReversed")
PROPOSABLE = (*CORRECTIONS, "JournalSubmitted", "PaymentReviewed", "AccountLimitSet")
CODES = (
    *("actor_required", "person_required", "awaits_approval", "already_decided"),
    *("proposal_expired", "too_many_proposals", "proposal_too_large"),
)
"""Why a command is not proposed that needs two people."""
ENVELOPE = ("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id", "actor")
ACTOR = ("issuer", "subject", "session_id", "key_id", "roles_version")


class Named(NamedTuple):
    """Where a proposal is kept."""

    tenant: str
    account_id: str
    proposal_id: str


@dataclass
class Proposal:
    """A command that waits for a second person, or has waited."""

    state: str
    event: str
    fields: dict[str, Any]
    content: dict[str, Any] | None
    named: str
    changes: int
    proposed_at: int
    ends_at: int
    remembered_us: int
    decided_by: str | None = None

    @property
    def maker(self) -> dict[str, Any]:
        actor: dict[str, Any] = self.fields["actor"]
        return actor


def snake(event: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", event).lower()


def said_of(value: Any) -> Any:
    """Return a value without what is null in it."""
    if isinstance(value, dict):
        return {name: said_of(value[name]) for name in sorted(value) if value[name] is not None}
    return [said_of(one) for one in value] if isinstance(value, list | tuple) else value


def bencode(value: Any) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return str(len(raw)).encode() + b":" + raw
    if isinstance(value, int):
        return b"i" + str(int(value)).encode() + b"e"
    if isinstance(value, dict):
        names = sorted(value, key=str.encode)
        return b"d" + b"".join(bencode(name) + bencode(value[name]) for name in names) + b"e"
    return b"l" + b"".join(bencode(one) for one in value) + b"e"


def person(actor: dict[str, Any]) -> bool:
    return actor["session_id"] is not None and actor["key_id"] is None


def who(actor: dict[str, Any]) -> str:
    return f"{actor['issuer']} {actor['subject']}"


def now_at(branch: Books) -> int:
    """Return the event time at which the present command finds its branch."""
    return max(time for time in (seen_at(branch), branch.watermark) if time is not None)


# --- what has to be proposed


def is_proposed(branch: Books, record: Record) -> bool:
    """Propose a command that needs two people, or refuse to; return whether it needs them."""
    event, kind = record.fields, record.event or ""
    if kind not in PROPOSABLE or not needs_two(branch, kind, event) or answered_anyway(branch, kind, event):
        return False
    propose(branch, kind, event)
    return True


def needs_two(branch: Books, kind: str, event: dict[str, Any]) -> bool:
    if kind == "JournalSubmitted":
        return bool(event.get("needs_approval"))
    if branch.witness is not None:
        proposed = branch.next_said(PAYMENT_EVENTS, "CommandProposed", proposal_id=event["event_id"])
        about = {"command": snake(kind), "account_id": event[KEY_FIELD[kind]]}
        refused = branch.said_code(CODES, PAYMENT_EVENTS, "CommandRefused", **about)
        return proposed is not None or refused is not None
    told = branch.tenants.setting(event["tenant_id"], "four_eyes") or {}
    if kind == "AccountLimitSet":
        return bool(told.get("limits"))
    if kind in CORRECTIONS:
        return bool(told.get("corrections"))
    payment = branch.payments.get(branch.key("payment_id"))
    if payment is None or not event["approved"]:
        return False
    if payment.link is not None:  # it stands for all of its link, whatever that comes to
        return payment.currency in told.get("reviews", {})
    asked = payment.amount if payment.asked is None else payment.asked
    return bool(asked >= told.get("reviews", {}).get(payment.currency, asked + 1))


def answered_anyway(branch: Books, kind: str, event: dict[str, Any]) -> bool:
    """Whether the command would have no effect whatever money there is."""
    if kind == "AccountLimitSet":
        flaw = flaw_of(event)
        if flaw is not None:
            raise Dead(flaw)
        account = branch.account(event["account_id"])
        known = branch.changes.get(branch.key("account_id"), {}).get(event["event_id"])
        remembered = known is not None and (
            branch.watermark is None or branch.watermark - known.occurred_at <= branch.window_days * DAY_US
        )
        return account is None or account.closed or remembered or old(branch, kind, event)
    if kind == "PaymentReviewed":
        payment = branch.payments.get(branch.key("payment_id"))
        if payment is None or payment.debtor != event["debtor_account_id"]:
            return True
        if payment.state == "AUTHORISED":
            return not branch.holds[branch.key("payment_id")].under_review
        return payment.state != "HELD" or payment.link != event.get("link_id")
    if old(branch, kind, event):
        return True
    home = event[KEY_FIELD[kind]]
    if kind == "JournalSubmitted":
        return branch.journal(home, event["journal_id"]) is not None
    if kind == "JournalReversed":
        there = branch.journal(home, event["journal_id"]) is not None
    else:
        payment = branch.payments.get(branch.key("payment_id"))
        there = payment is not None and payment.debtor == home
    return not there or branch.journal(home, event["reversal_id"]) is not None


def old(branch: Books, kind: str, event: dict[str, Any]) -> bool:
    if branch.witness is not None and kind != "JournalSubmitted":
        return False  # it was proposed, so it was not too old
    if branch.watermark is None:
        return False
    if branch.witness is not None:
        about = {"journal_id": event["journal_id"]}
        return branch.too_old(event["occurred_at"], JOURNAL_EVENTS, "JournalUpdated", **about)
    return bool(branch.watermark - event["occurred_at"] > branch.window_days * DAY_US)


def propose(branch: Books, kind: str, event: dict[str, Any]) -> None:
    place = Named(event["tenant_id"], event[KEY_FIELD[kind]], event["event_id"])
    said = said_of({name: value for name, value in event.items() if name not in ENVELOPE})
    digest = hashlib.sha256(bencode({**said, "command": snake(kind), "tenant_id": place.tenant}))
    known, now = branch.proposals.get(place), now_at(branch)
    ends_at = now + branch.proposal_days * DAY_US
    if branch.witness is not None:
        told = branch.next_said(PAYMENT_EVENTS, "CommandProposed", proposal_id=event["event_id"])
        ends_at = ends_at if told is None else told["expires_at"]
    proposal = Proposal(
        "OPEN",
        kind,
        event,
        said,
        digest.hexdigest(),
        0 if known is None else known.changes + 1,
        now,
        ends_at,
        branch.window_days * DAY_US,
    )
    code = why_not_proposed(branch, place, known, proposal)
    if code is not None:
        names = ("payment_id", "journal_id", "reversal_id")
        ids = {name: event[name] for name in names if name in event}
        return branch.refuse(snake(kind), place.account_id, code, **ids)
    if known is not None:
        forget(branch, due_of(place, known))
    branch.proposals[place] = proposal
    count_open(branch, place, 0 if known is not None else 1)
    keep(branch, place)
    branch.say(
        PAYMENT_EVENTS,
        place.account_id,
        "CommandProposed",
        branch.id_of(f"proposed:{proposal.changes}"),
        command=snake(kind),
        account_id=place.account_id,
        proposal_id=place.proposal_id,
        content_hash=proposal.named,
        expires_at=ends_at,
        payment_id=event.get("payment_id"),
        journal_id=event.get("journal_id"),
        reversal_id=event.get("reversal_id"),
    )


def why_not_proposed(branch: Books, place: Named, known: Proposal | None, new: Proposal) -> str | None:
    if known is not None:
        if known.state in ("APPROVED", "REJECTED"):
            return "already_decided"
        if known.state == "EXPIRED" or known.ends_at <= new.proposed_at:
            return "proposal_expired"
        if known.named == new.named:
            return "awaits_approval"
    actor = new.fields.get("actor")
    if actor is None:
        return "actor_required"
    if not person(actor):
        return "person_required"
    if known is None and branch.open_proposals.get(place[:2], 0) >= OPEN_MAX:
        return "too_many_proposals"
    return "proposal_too_large" if len(row_of(new)) > ROW_BYTES_MAX else None


# --- what becomes of it


def decide_proposal(branch: Books, event: dict[str, Any]) -> None:
    approves = branch.cause.event == "ProposalApproved"
    place = Named(event["tenant_id"], event["account_id"], event["proposal_id"])
    code = why_not_decided(branch, event, branch.proposals.get(place), approves)
    if code is not None:
        command = "proposal_approved" if approves else "proposal_rejected"
        return branch.refuse(command, event["account_id"], code)
    proposal, now = branch.proposals[place], now_at(branch)
    say_decided(branch, proposal, "APPROVED" if approves else "REJECTED", event.get("reason"))
    if approves:
        fields = {
            **proposal.fields,
            "occurred_at": event["occurred_at"],
            "causation_id": event["event_id"],
            "approved_by": who(event["actor"]),
        }
        with branch.caused_by(proposal.event, fields):
            forget_named(branch)
            if not too_old(branch, branch.cause) and not refused_past(branch, proposal.event, fields):
                branch.rules[proposal.event](branch, fields)
    forget(branch, due_of(place, proposal))
    proposal.decided_by = event["event_id"]
    settle(branch, place, "APPROVED" if approves else "REJECTED", now)


def why_not_decided(
    branch: Books, event: dict[str, Any], proposal: Proposal | None, approves: bool
) -> str | None:
    actor = event["actor"]
    if proposal is None:
        return "proposal_not_found"
    if proposal.decided_by == event["event_id"]:
        return "exists"
    if proposal.state in ("APPROVED", "REJECTED"):
        return "already_decided"
    if proposal.state == "EXPIRED" or proposal.ends_at <= now_at(branch):
        return "proposal_expired"
    if actor is None:
        return "actor_required"
    if not person(actor):
        return "programs_cannot_approve" if approves else "person_required"
    if event["content_hash"] != proposal.named:
        return "proposal_changed"
    themselves = all(actor[name] == proposal.maker[name] for name in ("issuer", "subject"))
    return "maker_cannot_approve" if approves and themselves else None


def proposal_is_due(branch: Books, due: Due) -> None:
    """Let a proposal expire, or forget one that was decided."""
    place = Named(due.tenant, due.account_id, due.subject)
    proposal = branch.proposals[place]
    if proposal.state != "OPEN":
        del branch.proposals[place]
        branch.row(row_key("v", *place), None)
        return
    subject = {"account_id": place.account_id, "proposal_id": place.proposal_id}
    fields = envelope_of(due, place.proposal_id, proposal.fields["correlation_id"], **subject)
    with branch.caused_by("ProposalRejected", fields):
        say_decided(branch, proposal, "EXPIRED", None)
        settle(branch, place, "EXPIRED", due.at)


def settle(branch: Books, place: Named, state: str, now: int) -> None:
    """Remember how a proposal has ended, and no longer what it was."""
    proposal = branch.proposals[place]
    proposal.state, proposal.content, proposal.ends_at = state, None, now + proposal.remembered_us
    count_open(branch, place, -1)
    keep(branch, place)


def say_decided(branch: Books, proposal: Proposal, outcome: str, reason: str | None) -> None:
    event = branch.cause.fields
    branch.say(
        PAYMENT_EVENTS,
        event["account_id"],
        "ProposalDecided",
        branch.id_of(f"proposal_{outcome.lower()}"),
        command=snake(proposal.event),
        account_id=event["account_id"],
        proposal_id=event["proposal_id"],
        content_hash=proposal.named,
        outcome=outcome,
        proposed_by=who(proposal.maker),
        reason=reason,
        payment_id=proposal.fields.get("payment_id"),
    )
    branch.out += list(answer_decided(branch.out[-1], proposal.fields))


# --- rows


def due_of(place: Named, proposal: Proposal) -> Due:
    return Due(proposal.ends_at, "proposal", *place)


def keep(branch: Books, place: Named) -> None:
    """Write the row of a proposal, and when it is looked at again."""
    proposal = branch.proposals[place]
    branch.row(row_key("v", *place), row_of(proposal))
    plan(branch, due_of(place, proposal))


def row_of(proposal: Proposal) -> bytes:
    content = [
        proposal.state,
        snake(proposal.event),
        proposal.named,
        proposal.changes,
        [proposal.maker[name] for name in ACTOR],
        proposal.proposed_at,
        proposal.ends_at,
        proposal.remembered_us,
        proposal.fields["correlation_id"],
        proposal.content,
        proposal.decided_by,
    ]
    return bytes([LAYOUT]) + msgpack(content)


def count_open(branch: Books, place: Named, change: int) -> None:
    count = branch.open_proposals.get(place[:2], 0) + change
    branch.open_proposals[place[:2]] = count
    if change:
        branch.number_row(row_key("u", *place[:2]), count or None)
