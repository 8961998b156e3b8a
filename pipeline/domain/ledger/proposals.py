"""Proposals: a command that needs two people waits until a second one approves it (`approvals`).

    row `v` NUL tenant NUL account NUL event id    a proposal, by the account that keys its command
    row `u` NUL tenant NUL account                 how many proposals of the account are open

Two people are needed where the tenant's settings ask for them (`four_eyes`: reviews, corrections, limits),
and for a journal that says so itself (`needs_approval`). Such a command is kept whole and changes nothing
else, not even event time. What it is to do is judged when it is approved, as if it had come then.

A command that would be refused at first sight is not proposed: what it names is not there or does not wait
for it, its own id is known, it is too old. Its own rule answers it.

Invariants: only a person proposes; a proposal has one maker, whoever changed its content last; a decided
proposal is remembered as long as ids are, so that neither its command nor an approval of it counts twice.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox, envelope
from pipeline.domain.kernel.routing import KEY_FIELDS
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.account_changes import is_refused_as_known
from pipeline.domain.ledger.accounts import present
from pipeline.domain.ledger.due import PROPOSAL, Due, add_to_number, schedule, unschedule
from pipeline.domain.ledger.holds import read_hold
from pipeline.domain.ledger.journals import read_journal
from pipeline.domain.ledger.limits import check_limit
from pipeline.domain.ledger.not_yet import COMMANDS
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.proposed_content import content_hash, content_of
from pipeline.domain.ledger.repeats import content_of_row
from pipeline.domain.ledger.rows import (
    CLOSED,
    OPEN_PROPOSALS_ROW,
    PROPOSAL_ROW,
    read_account,
    read_number,
    read_payment,
    read_watermark,
)
from pipeline.domain.tenants.settings import Tenants

PROPOSABLE = (
    *(ev.JournalSubmitted, ev.JournalReversed, ev.PaymentReversed),
    *(ev.PaymentReviewed, ev.AccountLimitSet),
)
"""Commands that may need two people."""
OPEN_MAX = 100
"""The most open proposals of one account."""
BYTES_MAX = 65_536
"""The most bytes of a proposal's row."""
OPEN, APPROVED, REJECTED, EXPIRED = "OPEN", "APPROVED", "REJECTED", "EXPIRED"


class Proposal(msgspec.Struct, array_like=True, gc=False):
    """A command that waits for a second person; or what is remembered of one that was decided."""

    state: str
    """OPEN, APPROVED, REJECTED or EXPIRED."""
    command: str
    """Its name, such as journal_reversed."""
    content_hash: str
    changes: int
    """How often its content was changed."""
    proposed_by: list[str | None]
    """The fields of its maker's Actor, in their order."""
    proposed_at: int
    """When its present content was proposed, by event time, microseconds UTC."""
    ends_at: int
    """When it expires; of a decided one: until when it is remembered. Event time, microseconds UTC."""
    remembered_us: int
    """How long it is remembered once it is decided, microseconds of event time."""
    correlation_id: str
    content: dict[str, Any] | None
    """What the command says (`proposed_content`); None once it is decided."""
    decided_by: str | None = None
    """The event_id of the approval or rejection."""

    @property
    def maker(self) -> ev.Actor:
        """Who has proposed it, or has changed it last."""
        return ev.Actor(*self.proposed_by)  # type: ignore[arg-type]


unpack_proposal = unpacker(PROPOSAL_ROW, Proposal)
"""Return the proposal of a row. Raises UnreadableRow."""


def proposal_key(tenant_id: str, account_id: str, proposal_id: str) -> bytes:
    """Return the row key of a proposal."""
    return row_key(PROPOSAL_ROW.family, tenant_id, account_id, proposal_id)


def read_proposal(rows: Rows, tenant_id: str, account_id: str, proposal_id: str) -> Proposal | None:
    """Return a proposal, open or decided, or None where none is known."""
    row = rows.get(proposal_key(tenant_id, account_id, proposal_id))
    return None if row is None else unpack_proposal(row)


def is_person(actor: ev.Actor) -> bool:
    """Whether an actor is a person: one who has a session, and acts without a program's key."""
    return actor.session_id is not None and actor.key_id is None


def waits(tenants: Tenants, window: int, event: Any, rows: Rows) -> bool:
    """Whether a command has to be proposed: it needs two people, and is not refused anyway.

    `window`: how long ids are remembered, microseconds of event time. Raises: Reject for a command that no
    rule could apply.
    """
    return needs_two(tenants, event, rows) and not is_refused_at_sight(event, window, rows)


def needs_two(tenants: Tenants, event: Any, rows: Rows) -> bool:
    """Whether a command of a tenant needs two people."""
    kind, tenant = type(event), event.tenant_id
    rules = tenants.of(tenant).four_eyes
    if kind is ev.JournalSubmitted:
        return bool(event.needs_approval)
    if rules is None:
        return False
    if kind is ev.AccountLimitSet:
        return rules.limits
    if kind is ev.JournalReversed or kind is ev.PaymentReversed:
        return rules.corrections
    if kind is not ev.PaymentReviewed or not event.approved:
        return False
    payment = read_payment(rows, tenant, event.payment_id)
    return payment is not None and rules.review_needs_two(payment.currency, asked_amount(payment))


def asked_amount(payment: Payment) -> int:
    """Return what a payment has asked for, minor units: what the streams before the ledger know of it.

    A payment of a link stands for all of it, whatever that comes to: as much as there can be.
    """
    return content_of_row(payment).asked[0] if payment.link_id is None else INT64_MAX


def is_refused_at_sight(event: Any, window: int, rows: Rows) -> bool:
    """Whether a command's own rule refuses it whatever an account has. Arguments are those of `waits`."""
    tenant, kind, watermark = event.tenant_id, type(event), read_watermark(rows)
    if kind is ev.AccountLimitSet:
        check_limit(event)
        account = read_account(rows, tenant, event.account_id)
        unchangeable = account is None or account.status == CLOSED
        return unchangeable or is_refused_as_known(event, window, rows)
    if kind is ev.PaymentReviewed:
        return not _is_under_review(event, rows)
    if watermark is not None and watermark - event.occurred_at > window:
        return True
    if kind is ev.JournalSubmitted:
        return read_journal(rows, tenant, event.account_id, event.journal_id) is not None
    if kind is ev.JournalReversed:
        home, original = event.account_id, read_journal(rows, tenant, event.account_id, event.journal_id)
        unknown = original is None
    else:
        home, payment = event.debtor_account_id, read_payment(rows, tenant, event.payment_id)
        unknown = payment is None or payment.debtor_account_id != home
    return unknown or read_journal(rows, tenant, home, event.reversal_id) is not None


def _is_under_review(event: ev.PaymentReviewed, rows: Rows) -> bool:
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.debtor_account_id != event.debtor_account_id:
        return False
    if payment.state == "AUTHORISED":
        hold = read_hold(rows, event.tenant_id, event.payment_id)
        return hold is not None and hold.under_review
    return payment.state == "HELD" and payment.link_id == event.link_id


def propose(event: Any, kept_us: int, window: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Keep a command until a second person approves it, or refuse to.

    `kept_us`: how long it may wait; `window`: how long ids are remembered; microseconds of event time.
    """
    tenant, account_id = event.tenant_id, getattr(event, KEY_FIELDS[type(event)])
    now = present(event, at, rows)
    known = read_proposal(rows, tenant, account_id, event.event_id)
    content = content_of(event)
    named = content_hash(tenant, COMMANDS[type(event)], content)
    code = _refusal(event, known, named, now)
    if code is None and known is None and open_proposals(rows, tenant, account_id) >= OPEN_MAX:
        code = "too_many_proposals"
    if code is not None:
        return _refuse(event, account_id, code, out)
    proposal = Proposal(
        OPEN, COMMANDS[type(event)], named, 0 if known is None else known.changes + 1,
        [getattr(event.actor, name) for name in ev.Actor.__struct_fields__], now, now + kept_us,
        window, event.correlation_id, content,
    )  # fmt: skip
    row = PROPOSAL_ROW.pack(proposal)
    if len(row) > BYTES_MAX:
        return _refuse(event, account_id, "proposal_too_large", out)
    if known is None:
        count_open(rows, tenant, account_id, +1)
    else:
        unschedule(rows, end_of(known, tenant, account_id, event.event_id))
    rows.put(proposal_key(tenant, account_id, event.event_id), row)
    schedule(rows, end_of(proposal, tenant, account_id, event.event_id))
    _say_proposed(event, account_id, proposal, out)


def _refusal(event: Any, known: Proposal | None, named: str, now: int) -> str | None:
    """Return why a command cannot be proposed, where that does not depend on other proposals, or None."""
    if known is not None:
        if known.state != OPEN or known.ends_at <= now:
            return "proposal_expired" if known.state in (OPEN, EXPIRED) else "already_decided"
        if known.content_hash == named:
            return "awaits_approval"
    if event.actor is None:
        return "actor_required"
    return None if is_person(event.actor) else "person_required"


def _refuse(event: Any, account_id: str, code: str, out: Outbox) -> None:
    ids = {name: getattr(event, name, None) for name in ("journal_id", "reversal_id")}
    payment_id = getattr(event, "payment_id", None)
    refuse(out, event, COMMANDS[type(event)], account_id, payment_id, code, **ids)


def _say_proposed(event: Any, account_id: str, proposal: Proposal, out: Outbox) -> None:
    out.emit(
        "payment-events",
        f"{event.tenant_id}/{account_id}",
        ev.CommandProposed(
            # A proposal that is changed back to what it was is said again, so its number is in the id.
            *envelope(event, f"proposed:{proposal.changes}"),
            proposal.command,
            account_id,
            event.event_id,
            proposal.content_hash,
            proposal.ends_at,
            getattr(event, "payment_id", None),
            getattr(event, "journal_id", None),
            getattr(event, "reversal_id", None),
            event.actor,
        ),
    )


def end_of(proposal: Proposal, tenant_id: str, account_id: str, proposal_id: str) -> Due:
    """Return what is scheduled for a proposal: its end, or the end of what is remembered of it."""
    return Due(proposal.ends_at, PROPOSAL, tenant_id, account_id, proposal_id)


def open_proposals(rows: Rows, tenant_id: str, account_id: str) -> int:
    """Return how many proposals of an account are open."""
    return read_number(rows, row_key(OPEN_PROPOSALS_ROW.family, tenant_id, account_id)) or 0


def count_open(rows: Rows, tenant_id: str, account_id: str, change: int) -> None:
    """Count a proposal that is open now, or no longer."""
    add_to_number(rows, row_key(OPEN_PROPOSALS_ROW.family, tenant_id, account_id), change)
