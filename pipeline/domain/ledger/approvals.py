"""What a second person decides about a proposal, and what becomes of one that nobody decides.

    proposal_approved -> proposal_decided APPROVED, and then all that the command itself says
    proposal_rejected -> proposal_decided REJECTED
    its time is over  -> proposal_decided EXPIRED

An approved command is applied as if it had come with the approval: it counts then, and all that is asked of
such a command is asked then. It may be refused: whoever wants it after all proposes another one. What it says
has its maker as `actor`, and who has approved it as `approved_by`, on every branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox, envelope
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.accounts import present
from pipeline.domain.ledger.correction_answers import answer_decided
from pipeline.domain.ledger.due import Due, schedule, unschedule
from pipeline.domain.ledger.not_yet import COMMANDS
from pipeline.domain.ledger.proposals import (
    APPROVED,
    EXPIRED,
    OPEN,
    REJECTED,
    Proposal,
    count_open,
    end_of,
    is_person,
    proposal_key,
    read_proposal,
)
from pipeline.domain.ledger.proposed_content import command_of
from pipeline.domain.ledger.rows import PROPOSAL_ROW

KINDS = {name: kind for kind, name in COMMANDS.items()}
"""The classes of commands, by name."""
Apply = Callable[[Any, Arrival, Rows, Outbox], None]


class ApprovedOutbox(Outbox):
    """The outputs of what a second person has approved: they say by whom."""

    __slots__ = ("approved_by", "plain")

    def __init__(self, plain: Outbox, approved_by: str) -> None:
        self.items, self.plain = plain.items, plain
        """`plain`: for what else is said in the same order."""
        self.approved_by = approved_by

    def emit(self, topic: str, key: str, event: Any) -> None:
        """Send an event, with `approved_by` where it has the field."""
        if hasattr(event, "approved_by"):
            event = structs.replace(event, approved_by=self.approved_by)
        self.plain.emit(topic, key, event)


def plain(out: Outbox) -> Outbox:
    """Return the outbox for what is said beside what was approved."""
    return out.plain if isinstance(out, ApprovedOutbox) else out


def name_of(actor: ev.Actor) -> str:
    """Return a person as `approved_by` and `proposed_by` have them."""
    return f"{actor.issuer} {actor.subject}"


def approve(apply: Apply, event: ev.ProposalApproved, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Apply a proposed command on behalf of its maker and a second person, or refuse the approval.

    `apply`: applies a command that waits for nobody.
    Raises: Reject as the command's own rule; then the proposal stays open.
    """
    proposal = _open_proposal(event, "proposal_approved", at, rows, out)
    if proposal is None:
        return
    assert event.actor is not None and proposal.content is not None, "both were checked"
    told = Outbox()
    kind, correlation_id = KINDS[proposal.command], proposal.correlation_id
    command = command_of(kind, proposal.content, event.proposal_id, correlation_id, event, proposal.maker)
    apply(command, at, rows, ApprovedOutbox(told, name_of(event.actor)))
    _decide(event, proposal, APPROVED, None, present(event, at, rows), rows, out)
    out.items.extend(told.items)


def reject(event: ev.ProposalRejected, at: Arrival, rows: Rows, out: Outbox) -> None:
    """End a proposal without applying it, or refuse to."""
    proposal = _open_proposal(event, "proposal_rejected", at, rows, out)
    if proposal is not None:
        _decide(event, proposal, REJECTED, event.reason, present(event, at, rows), rows, out)


def end_proposal(due: Due, rows: Rows, out: Outbox) -> None:
    """End a proposal whose time is over, or forget one that was decided."""
    proposal = read_proposal(rows, due.tenant_id, due.account_id, due.id)
    assert proposal is not None, "what falls due is there"
    unschedule(rows, due)
    if proposal.state != OPEN:
        return rows.delete(proposal_key(due.tenant_id, due.account_id, due.id))
    times = (due.tenant_id, due.time, proposal.correlation_id)
    cause = ev.ProposalRejected(due.id, *times, None, due.account_id, due.id, proposal.content_hash, "")
    _write_decided(cause, proposal, EXPIRED, due.time, rows)
    _say_decided(cause, proposal, EXPIRED, None, out)


def _open_proposal(event: Any, command: str, at: Arrival, rows: Rows, out: Outbox) -> Proposal | None:
    """Return a proposal that a person may decide in this way; otherwise answer why they may not."""
    proposal = read_proposal(rows, event.tenant_id, event.account_id, event.proposal_id)
    code = "proposal_not_found" if proposal is None else _refusal(event, proposal, present(event, at, rows))
    if code is None:
        return proposal
    refuse(out, event, command, event.account_id, None, code)
    return None


def _refusal(event: Any, proposal: Proposal, now: int) -> str | None:
    approves, actor = type(event) is ev.ProposalApproved, event.actor
    if proposal.state != OPEN and proposal.decided_by == event.event_id:
        return "exists"
    if proposal.state in (APPROVED, REJECTED):
        return "already_decided"
    if proposal.state == EXPIRED or proposal.ends_at <= now:
        return "proposal_expired"
    if actor is None:
        return "actor_required"
    if not is_person(actor):
        return "programs_cannot_approve" if approves else "person_required"
    if event.content_hash != proposal.content_hash:
        return "proposal_changed"
    maker = proposal.maker
    same_person = (actor.issuer, actor.subject) == (maker.issuer, maker.subject)
    return "maker_cannot_approve" if approves and same_person else None


def _decide(
    event: Any, proposal: Proposal, state: str, reason: str | None, now: int, rows: Rows, out: Outbox
) -> None:
    unschedule(rows, end_of(proposal, event.tenant_id, event.account_id, event.proposal_id))
    _write_decided(event, proposal, state, now, rows)
    _say_decided(event, proposal, state, reason, out)


def _write_decided(event: Any, proposal: Proposal, state: str, now: int, rows: Rows) -> None:
    """Remember a decision, without what was proposed."""
    names = (event.tenant_id, event.account_id, event.proposal_id)
    decided_by, until = None if state == EXPIRED else event.event_id, now + proposal.remembered_us
    decided = structs.replace(proposal, state=state, ends_at=until, content=None, decided_by=decided_by)
    rows.put(proposal_key(*names), PROPOSAL_ROW.pack(decided))
    schedule(rows, end_of(decided, *names))
    count_open(rows, *names[:2], -1)


def _say_decided(event: Any, proposal: Proposal, state: str, reason: str | None, out: Outbox) -> None:
    content = proposal.content or {}
    decided = ev.ProposalDecided(
        *envelope(event, f"proposal_{state.lower()}"),
        proposal.command,
        event.account_id,
        event.proposal_id,
        proposal.content_hash,
        state,
        name_of(proposal.maker),
        reason,
        content.get("payment_id"),
        event.actor,
    )
    out.emit("payment-events", f"{event.tenant_id}/{event.account_id}", decided)
    if state != APPROVED:
        answer_decided(decided, content, out)
