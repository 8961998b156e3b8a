"""Payments that are held to be captured: in parts or whole, here or on the creditor's branch, until they end.

    payment_decided with an end -> AUTHORISED -> captures -> SETTLED, or released: CANCELLED, EXPIRED, FAILED

What is held of a payment is its amount less what is captured, or after the hold's end what legs are under way
for. What never changes: a payment ends once, when its hold has ended and no leg is under way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.ledger_books import Books, Payment, leg_content
from pipeline.verify.model.ledger_due import Due, Place, advance, drop_due, envelope_of, forget, over, plan
from pipeline.verify.model.ledger_exchange import reserve, say_holds, told, whole
from pipeline.verify.model.wire import COMMANDS, cause_of, derived, row_key

ENDS = {
    "cancelled": ("CANCELLED", "outcomes.PaymentCancelled", "payment_cancelled"),
    "expired": ("EXPIRED", "PaymentExpired", "payment_expired"),
    "ok": ("FAILED", "PaymentFailed", "payment_failed"),
}
"""By the code with which a hold of which nothing was captured has ended."""


@dataclass
class Capture:
    """A part of a hold; IN_FLIGHT, POSTED or REFUSED. `leg_id` is empty where the creditor is here."""

    capture_id: str
    amount: int
    leg_id: str
    state: str
    final: bool
    rest: bool
    """Whether all that was left was asked for."""
    credited: int | None
    """What the creditor gets for it, if that is in another currency."""


@dataclass
class Hold:
    """How a payment is held, and what of it is captured or on its way; amounts in minor units."""

    expires_at: int
    under_review: bool
    correlation_id: str
    event_id: str
    captured: int = 0
    capturing: int = 0
    ended: str = ""
    """The code with which it has ended."""
    captures: list[Capture] = field(default_factory=list)

    def remaining(self, payment: Payment) -> int:
        if self.ended:
            return 0
        return max(payment.amount - self.captured - self.capturing, 0)

    def credited(self, *states: str) -> int:
        """Return what the creditor gets for the captures in some states."""
        parts = [one for one in self.captures if one.state in states]
        return sum(one.amount if one.credited is None else one.credited for one in parts)

    def uncredited(self, payment: Payment) -> int:
        return whole(payment) - self.credited("POSTED", "IN_FLIGHT")

    def held(self, payment: Payment) -> int:
        return self.remaining(payment) + self.capturing


def authorise(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    """Keep a payment that has just been reserved until it is captured."""
    assert payment.until is not None
    hold = Hold(payment.until, event["outcome"] == "REVIEW", event["correlation_id"], event["event_id"])
    branch.holds[branch.key("payment_id")] = hold
    say_holds(branch, "PLACED", payment, event["payment_id"], payment.amount, whole(payment))
    branch.end(payment, "AUTHORISED", "ok")
    keep(branch, hold)
    plan(branch, due_of(branch, payment, hold), held_where(branch, payment))


def held_where(branch: Books, payment: Payment) -> list[Place]:
    """Return whose money on this branch a payment holds, and who is to get it here."""
    creditor = [(payment.creditor, "CREDIT")] if branch.here(payment.creditor) else []
    return [(payment.debtor, "DEBIT"), *creditor]


def keep(branch: Books, hold: Hold) -> None:
    """Write what is remembered of the hold of the command's payment."""
    parts = [list(vars(one).values()) for one in hold.captures]
    numbers = [hold.expires_at, hold.under_review, hold.captured, hold.capturing]
    texts = [hold.ended, hold.correlation_id, hold.event_id]
    branch.structure(row_key("h", *branch.key("payment_id")), [*numbers, *texts, parts])


def due_of(branch: Books, payment: Payment, hold: Hold) -> Due:
    tenant, payment_id = branch.key("payment_id")
    return Due(hold.expires_at, "hold", tenant, payment.debtor, payment_id)


def give_back(branch: Books, payment: Payment, amount: int, credited: int) -> None:
    """Release a part of the hold of the command's payment."""
    reserve(branch, payment, amount, credited, -1)
    say_holds(branch, "RELEASED", payment, branch.cause.fields["payment_id"], amount, credited)


def end_hold(branch: Books, payment: Payment, hold: Hold, code: str) -> None:
    """Release what is neither captured nor on its way; nothing more can be captured."""
    left = hold.remaining(payment)
    hold.ended = code
    if left:
        give_back(branch, payment, left, hold.uncredited(payment))
    drop_due(branch, due_of(branch, payment, hold))
    keep(branch, hold)


def finish(branch: Books, payment: Payment, hold: Hold, refused: str = "", **said: Any) -> None:
    """End a payment whose hold has ended, unless legs are under way. `refused`: the code of its last leg."""
    if not hold.ended or hold.capturing:
        return
    if hold.captured:
        branch.end(payment, "SETTLED", "ok")
        became = told(payment, hold.captured, hold.credited("POSTED"))
        sums = {"amount_minor": hold.captured, "exchange": became}
        return branch.outcome("PaymentSettled", "payment_settled", payment, "ok", **sums)
    state, event, name = ENDS[hold.ended]
    code = refused if hold.ended == "ok" else hold.ended
    branch.end(payment, state, code)
    branch.outcome(event, name, payment, code, **said)


# --- a reviewer, and the debtor's second thoughts


def refused_as_moved_on(branch: Books, event: dict[str, Any], command: str) -> bool:
    """Refuse a command that expects its debtor to have had other postings; return whether it does."""
    present = branch.moved_on(event["debtor_account_id"])
    about = {"payment_id": event["payment_id"], **present}
    if present:
        branch.refuse(command, event["debtor_account_id"], "sequence_mismatch", **about)
    return bool(present)


def review_hold(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    """Let an authorised payment that waits for a review be captured, or release it."""
    hold = branch.holds[branch.key("payment_id")]
    if not hold.under_review:
        about = {"payment_id": event["payment_id"]}
        return branch.refuse("payment_reviewed", event["debtor_account_id"], "payment_not_held", **about)
    if refused_as_moved_on(branch, event, "payment_reviewed"):
        return
    if event["approved"]:
        hold.under_review = False
        return keep(branch, hold)
    end_hold(branch, payment, hold, "declined")
    branch.end(payment, "REJECTED", "declined")
    branch.outcome("PaymentRejected", "payment_rejected", payment, "declined")


def cancel_hold(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    hold = branch.holds[branch.key("payment_id")]
    if hold.ended:
        about = {"payment_id": event["payment_id"]}
        return branch.refuse("payment_cancelled", event["debtor_account_id"], "payment_in_flight", **about)
    if refused_as_moved_on(branch, event, "payment_cancelled"):
        return
    end_hold(branch, payment, hold, "cancelled")
    finish(branch, payment, hold)


def why_not_held(branch: Books, payment: Payment, hold: Hold, reviewed: bool) -> str | None:
    """Return why a hold that was taken is none any more. `reviewed`: nobody may be reviewing it either."""
    if payment.state != "AUTHORISED":
        ends = {"SETTLED": "already_settled", "EXPIRED": "expired", "CANCELLED": "cancelled"}
        return ends.get(payment.state, "already_failed")
    if hold.ended:
        return hold.ended if hold.ended in ("expired", "cancelled") else "already_settled"
    if reviewed and hold.under_review:
        return "payment_under_review"
    return "expired" if over(branch, hold.expires_at) else None


def extend(branch: Books, event: dict[str, Any]) -> None:
    advance(branch, [(event["debtor_account_id"], "DEBIT")])
    payment = branch.payments.get(branch.key("payment_id"))
    hold = branch.holds.get(branch.key("payment_id"))
    until = event["hold_expires_at"]
    if payment is None or payment.debtor != event["debtor_account_id"]:
        code: str | None = "payment_not_found"
    elif hold is None:
        code = "payment_not_authorised"
    else:
        code = why_not_held(branch, payment, hold, reviewed=False)
        if code is None and until <= hold.expires_at:
            code = "expiry_not_later"
    about = {"payment_id": event["payment_id"]}
    if code is not None:
        return branch.refuse("payment_extended", event["debtor_account_id"], code, **about)
    if refused_as_moved_on(branch, event, "payment_extended"):
        return
    assert payment is not None and hold is not None
    forget(branch, due_of(branch, payment, hold))
    hold.expires_at = until
    plan(branch, due_of(branch, payment, hold), held_where(branch, payment))
    keep(branch, hold)
    branch.outcome("outcomes.PaymentExtended", "payment_extended", payment, "ok", hold_expires_at=until)


def hold_is_due(branch: Books, due: Due) -> None:
    payment, hold = branch.payments[due.tenant, due.subject], branch.holds[due.tenant, due.subject]
    subject = {"debtor_account_id": payment.debtor, "payment_id": due.subject}
    decided = branch.cause._replace(
        event="PaymentDecided", fields={"tenant_id": due.tenant, **subject, "event_id": hold.event_id}
    )
    event_id = derived(cause_of(decided), "payment_expired")
    with branch.caused_by("PaymentExpired", envelope_of(due, event_id, hold.correlation_id, **subject)):
        end_hold(branch, payment, hold, "expired")
        finish(branch, payment, hold, event_id=event_id, causation_id=hold.event_id)


# --- legs on the creditor's branch


def ask_for_leg(branch: Books, payment: Payment, leg_id: str, amount: int, credited: int) -> None:
    """Ask the creditor's branch to credit a payment, or a capture of one."""
    money: dict[str, Any] = {"amount_minor": credited}
    if payment.exchange is not None:
        money |= {"currency": payment.exchange.currency, "exchange": told(payment, amount, credited)}
    branch.say(
        COMMANDS,
        payment.creditor,
        "LegRequested",
        branch.id_of("leg_requested"),
        leg_id=leg_id,
        payment_id=branch.cause.fields["payment_id"],
        account_id=payment.creditor,
        **{**leg_content(payment), **money},
        origin_branch=branch.number,
        reference=payment.reference,
        **branch.effective(None),
        metadata=payment.metadata,
    )
