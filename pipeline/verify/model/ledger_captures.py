"""Captures: parts of a hold that are booked, here or by a leg on the creditor's branch.

What never changes: no more is captured than is held, and a capture id is booked once.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.ledger_accounts import room
from pipeline.verify.model.ledger_books import Books, Payment, times_of
from pipeline.verify.model.ledger_due import advance, behind
from pipeline.verify.model.ledger_exchange import post, told, worth
from pipeline.verify.model.ledger_holds import (
    Capture,
    Hold,
    ask_for_leg,
    end_hold,
    finish,
    give_back,
    keep,
    why_not_held,
)
from pipeline.verify.model.ledger_repeats import answer, taken
from pipeline.verify.model.wire import Dead, derived

CAPTURES_MAX = 100


# --- captures and extensions


def capture(branch: Books, event: dict[str, Any]) -> None:
    asked = branch.payments.get(branch.key("payment_id"))
    paid = [(asked.creditor, "CREDIT")] if asked is not None and asked.tolerance else []
    advance(branch, [(event["debtor_account_id"], "DEBIT"), *paid])
    payment = branch.payments.get(branch.key("payment_id"))
    hold = branch.holds.get(branch.key("payment_id"))
    code = why_not_captured(branch, event, payment, hold)
    if code is not None:
        about = {"payment_id": event["payment_id"], "capture_id": event["capture_id"]}
        about |= branch.moved_on(event["debtor_account_id"]) if code == "sequence_mismatch" else {}
        return branch.refuse("payment_captured", event["debtor_account_id"], code, **about)
    assert payment is not None and hold is not None
    amount = hold.remaining(payment) if event["amount_minor"] is None else event["amount_minor"]
    rest, credited = event["amount_minor"] is None, worth_of_part(payment, hold, amount)
    beyond = amount - hold.remaining(payment)
    if beyond > 0:
        branch.reserve(payment.debtor, branch.counterpart(payment), beyond)
        branch.say_hold("PLACED", event["payment_id"], payment.debtor, beyond)
    part = Capture(event["capture_id"], amount, "", "POSTED", event["final"], rest, credited)
    hold.captures.append(part)
    if branch.here(payment.creditor):
        book(branch, payment, hold, part)
        ends = event["final"] or not hold.remaining(payment)
    else:
        part.state = "IN_FLIGHT"
        part.leg_id = derived(payment.debtor, f"leg:{event['payment_id']}\0{part.capture_id}")
        hold.capturing += amount
        ask_for_leg(branch, payment, part.leg_id, amount, amount if credited is None else credited)
        ends = event["final"]
    if ends:
        end_hold(branch, payment, hold, "ok")
    else:
        keep(branch, hold)
    if part.state == "POSTED":
        say_captured(branch, payment, hold, part)
    finish(branch, payment, hold)


def why_not_captured(
    branch: Books, event: dict[str, Any], payment: Payment | None, hold: Hold | None
) -> str | None:
    """Return the first reason for which nothing is captured."""
    if payment is None or payment.debtor != event["debtor_account_id"]:
        return "payment_not_found"
    if hold is None:
        return "payment_not_authorised"
    amount = event["amount_minor"]
    for known in hold.captures:
        if known.capture_id == event["capture_id"]:
            first, again = taken(None if known.rest else known.amount, known.amount, amount)
            return answer({"final": known.final, "amount": first}, {"final": event["final"], "amount": again})
    code = why_not_held(branch, payment, hold, reviewed=True)
    if code is not None:
        return code
    if amount is not None and amount <= 0:
        return "amount_must_be_positive"
    remaining = hold.remaining(payment)
    spare = payment.amount * (payment.tolerance or 0) // 10_000
    most = payment.amount + spare - hold.captured - hold.capturing
    if remaining == 0 or (amount is not None and amount > most):
        return "exceeds_held_amount"
    if worth_of_part(payment, hold, remaining if amount is None else amount) == 0:
        return "amount_must_be_positive"
    if len(hold.captures) == CAPTURES_MAX:
        return "too_many_captures"
    if amount is not None and amount > remaining:
        return why_no_more(branch, payment, amount - remaining)
    return "sequence_mismatch" if branch.moved_on(payment.debtor) else None


def why_no_more(branch: Books, payment: Payment, amount: int) -> str | None:
    """Return why the debtor cannot pay, or the creditor not get, so much beyond what is held."""
    debtor, creditor = branch.account(payment.debtor), branch.account(payment.creditor)
    assert debtor is not None
    refusal = debtor.refusal("DEBIT", payment.currency)
    if refusal is not None:
        return refusal
    if branch.moved_on(payment.debtor):
        return "sequence_mismatch"
    if branch.here(payment.creditor):
        code = branch.creditor_code(payment.creditor, payment.currency)
        if code is not None:
            return code
        if creditor is not None and creditor.maximum is not None:
            if behind(branch, payment.creditor, "CREDIT"):
                return "too_many_holds"
            if creditor.too_full(amount):
                return "maximum_balance_exceeded"
    if debtor.limit is not None and behind(branch, payment.debtor, "DEBIT"):
        return "too_many_holds"
    if debtor.too_poor(amount):
        return "insufficient_funds"
    other = branch.account(branch.counterpart(payment))
    fits = room(debtor, "debits", amount) and room(other, "credits", amount)
    return None if fits else "overflow"


def book(
    branch: Books,
    payment: Payment,
    hold: Hold,
    part: Capture,
    when: dict[str, int | None] | None = None,
) -> None:
    """Post a capture out of the hold."""
    part.state = "POSTED"
    hold.captured += part.amount
    when = branch.effective(None) if when is None else when
    latest = (
        branch.counts_at(when)
        if payment.counts_at is None
        else max(payment.counts_at, branch.counts_at(when))
    )
    if latest != payment.counts_at:
        payment.counts_at = latest
        branch.end(payment, payment.state, payment.code)
    post(branch, "capture", payment, part.amount, got(part), when)


def got(part: Capture) -> int:
    """Return what the creditor gets for a capture."""
    return part.amount if part.credited is None else part.credited


def worth_of_part(payment: Payment, hold: Hold, amount: int) -> int | None:
    """Return what a part of a hold is in the creditor's currency, None where there is one currency.

    The last part gets what is left of the whole, whatever the others were rounded to.
    """
    by, left = payment.exchange, hold.uncredited(payment)
    if by is None:
        return None
    last = amount == hold.remaining(payment)
    return left if last else min(left, worth(amount, payment.currency, by.currency, by.rate, by.of))


def say_captured(branch: Books, payment: Payment, hold: Hold, part: Capture) -> None:
    so_far = {"captured_minor": hold.captured, "held_minor": hold.held(payment)}
    became = told(payment, part.amount, got(part))
    about = {"capture_id": part.capture_id, "amount_minor": part.amount, "exchange": became, **so_far}
    branch.outcome("outcomes.PaymentCaptured", "payment_captured", payment, "ok", **about)


def answered(branch: Books, event: dict[str, Any]) -> tuple[Hold, Capture]:
    """Return the capture that a leg was asked for."""
    hold = branch.holds[branch.key("payment_id")]
    for part in hold.captures:
        if part.leg_id == event["leg_id"] and part.state == "IN_FLIGHT":
            return hold, part
    raise Dead("leg_not_expected")


def capture_posted(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    hold, part = answered(branch, event)
    hold.capturing -= part.amount
    book(branch, payment, hold, part, times_of(branch, event))
    if not hold.remaining(payment) and not hold.capturing and not hold.ended:
        end_hold(branch, payment, hold, "ok")
    keep(branch, hold)
    say_captured(branch, payment, hold, part)
    finish(branch, payment, hold)


def capture_refused(branch: Books, event: dict[str, Any], payment: Payment) -> None:
    hold, part = answered(branch, event)
    held = hold.held(payment)
    hold.capturing -= part.amount
    part.state = "REFUSED"
    if hold.held(payment) < held:
        free = held - hold.held(payment)
        give_back(branch, payment, free, got(part) if free == part.amount else free)
    keep(branch, hold)
    about = {"payment_id": event["payment_id"], "capture_id": part.capture_id}
    branch.refuse("payment_captured", payment.debtor, event["code"], **about)
    finish(branch, payment, hold, refused=event["code"])
