"""Payments: decided, settled here or by a leg on another branch, reviewed, cancelled."""

from __future__ import annotations

from sys import intern
from typing import Any

from pipeline.verify.model.ledger_accounts import customer, room
from pipeline.verify.model.ledger_books import Books, Payment, times_of
from pipeline.verify.model.ledger_captures import capture_posted, capture_refused
from pipeline.verify.model.ledger_due import advance, behind, crowded, over, take
from pipeline.verify.model.ledger_endings import comes_late, ended_for, sender
from pipeline.verify.model.ledger_exchange import (
    exchange,
    invalid_rate,
    post,
    reserve,
    say_holds,
    sides,
    told,
    whole,
)
from pipeline.verify.model.ledger_holds import (
    ask_for_leg,
    authorise,
    cancel_hold,
    give_back,
    held_where,
    refused_as_moved_on,
    review_hold,
)
from pipeline.verify.model.ledger_link_ends import cancel_link, payees_of_review, review_link
from pipeline.verify.model.ledger_repeats import answer
from pipeline.verify.model.wire import (
    COMMANDS,
    PAYMENT_EVENTS,
    Dead,
    derived,
    end_of_hold,
    has_false_tolerance,
    row_key,
)


def decide(branch: Books, event: dict[str, Any]) -> None:
    key = (intern(event["tenant_id"]), event["payment_id"])
    payment = Payment(
        "",
        "",
        intern(event["debtor_account_id"]),
        intern(event["creditor_account_id"]),
        event["amount_minor"],
        intern(event["currency"]),
        event["reference"],
        event["occurred_at"],
        intern(event["payment_type"]),
        end_of_hold(event),
        event.get("metadata"),
    )
    other = event.get("creditor_currency")  # the first versions of the event know one currency
    payment.other, payment.named_rate = None if other == payment.currency else other, event.get("rate_e8")
    if has_false_tolerance(event):
        raise Dead("invalid_tolerance")
    payment.tolerance = event.get("capture_tolerance_bp") or None
    payment.execute_at = event.get("execute_at")
    if event.get("balancing"):
        payment.asked = payment.amount
    known = branch.payments.get(key)
    if known is not None:
        code = answer(known.compared, payment.compared)
        return branch.refuse("payment_initiated", payment.debtor, code, payment_id=event["payment_id"])
    if payment.execute_at is not None and payment.execute_at > event["occurred_at"]:
        return branch.outcome("PaymentRejected", "payment_rejected", payment, "not_yet")  # and is forgotten
    advance(branch, [(payment.debtor, "DEBIT"), (payment.creditor, "CREDIT")])
    branch.payments[key] = payment
    debtor = branch.account(payment.debtor)
    if payment.asked is not None and debtor is not None and debtor.limit is not None:
        there = debtor.available + debtor.limit
        payment.amount = min(payment.asked, there) if there > 0 else payment.asked
    refusal = why_not(branch, event, payment)
    if refusal is not None:
        payment.amount, payment.exchange = event["amount_minor"], None
        branch.end(payment, "REJECTED", refusal)
        present = branch.moved_on(payment.debtor) if refusal == "sequence_mismatch" else {}
        return branch.outcome("PaymentRejected", "payment_rejected", payment, refusal, **present)
    reserve(branch, payment, payment.amount, whole(payment))
    became = told(payment, payment.amount, whole(payment))
    branch.outcome("PaymentReserved", "payment_reserved", payment, "ok", exchange=became)
    if payment.until is not None:
        return authorise(branch, event, payment)
    if event["outcome"] == "REVIEW":
        say_holds(branch, "PLACED", payment, event["payment_id"], payment.amount, whole(payment))
        return branch.end(payment, "HELD", "ok")
    proceed(branch, payment)


def why_not(branch: Books, event: dict[str, Any], payment: Payment) -> str | None:
    """Return the first reason for which a payment cannot be reserved."""
    if event["outcome"] == "DECLINE":
        return "declined"
    if payment.amount <= 0:
        return "amount_must_be_positive"
    if payment.debtor == payment.creditor:
        return "accounts_must_differ"
    if invalid_rate(payment):
        return "invalid_rate"
    if over(branch, payment.until):
        return "expired"
    debtor = branch.account(payment.debtor)
    if debtor is None or not customer(payment.debtor):
        return "debtor_not_found"
    refusal = debtor.refusal("DEBIT", payment.currency)
    if refusal is not None:
        return refusal
    if branch.moved_on(payment.debtor):
        return "sequence_mismatch"
    if not customer(payment.creditor):
        return "creditor_not_found"
    get = payment.other or payment.currency
    if branch.here(payment.creditor):
        code = branch.creditor_code(payment.creditor, get)
        if code is not None:
            return code
    if payment.other is not None:
        becomes = exchange(branch, payment)
        if isinstance(becomes, str):
            return becomes
        payment.exchange = becomes
    code = too_full(branch, payment.creditor, whole(payment)) if branch.here(payment.creditor) else None
    if code is not None:
        return code
    if payment.until is not None and too_many_holds(branch, event, payment):
        return "too_many_holds"
    if debtor.limit is not None and behind(branch, payment.debtor, "DEBIT"):
        return "too_many_holds"
    if debtor.too_poor(payment.amount):
        return "insufficient_funds"
    fits = [
        room(branch.account(debit), "debits", amount) and room(branch.account(credit), "credits", amount)
        for debit, credit, amount in sides(branch, payment, payment.amount, whole(payment), look=True)
    ]
    return None if all(fits) else "overflow"


def too_full(branch: Books, account_id: str, amount: int) -> str | None:
    """Return why an account with a maximum cannot get so much more."""
    account = branch.account(account_id)
    if account is None or account.maximum is None:
        return None
    if behind(branch, account_id, "CREDIT"):
        return "too_many_holds"
    return "maximum_balance_exceeded" if account.too_full(amount) else None


def too_many_holds(branch: Books, event: dict[str, Any], payment: Payment) -> bool:
    """Whether the debtor, or a creditor with a maximum, has as many open holds as it may have."""
    if branch.witness is not None:
        said = branch.said_code(
            ("too_many_holds",), PAYMENT_EVENTS, "PaymentRejected", payment_id=event["payment_id"]
        )
        return said is not None
    return any(crowded(branch, *place) for place in held_where(branch, payment))


def proceed(branch: Books, payment: Payment) -> None:
    """Settle a reserved payment here, or ask the creditor's branch for its leg."""
    if branch.here(payment.creditor):
        return settle(branch, payment)
    payment_id = branch.cause.fields["payment_id"]
    if payment.state != "HELD":
        say_holds(branch, "PLACED", payment, payment_id, payment.amount, whole(payment))
    branch.end(payment, "IN_FLIGHT", "ok")
    leg_id = derived(payment.debtor, f"leg:{payment_id}")
    ask_for_leg(branch, payment, leg_id, payment.amount, whole(payment))


def settle(branch: Books, payment: Payment, when: dict[str, int | None] | None = None) -> None:
    when = branch.effective(None) if when is None else when
    payment.counts_at = branch.counts_at(when)
    branch.end(payment, "SETTLED", "ok")
    post(branch, "settle", payment, payment.amount, whole(payment), when)
    became = told(payment, payment.amount, whole(payment))
    branch.outcome("PaymentSettled", "payment_settled", payment, "ok", exchange=became)


def release(branch: Books, payment: Payment, event: str, code: str) -> None:
    """Give back a hold; the payment ends as `event` says."""
    give_back(branch, payment, payment.amount, whole(payment))
    state = event.rpartition("Payment")[2].upper()
    branch.end(payment, state, code)
    branch.outcome(event, f"payment_{state.lower()}", payment, code)


def held(branch: Books, event: dict[str, Any], command: str) -> Payment | None:
    """Return the payment if it is held, for a review or for captures; otherwise answer why not."""
    payment = branch.payments.get((event["tenant_id"], event["payment_id"]))
    if payment is None or payment.debtor != event["debtor_account_id"]:
        code = "payment_not_found"
    elif payment.state in ("HELD", "AUTHORISED"):
        if payment.link == event.get("link_id"):
            return payment
        code = "link_mismatch"
    else:
        ends = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}
        code = ends.get(payment.state, "already_failed")
    branch.refuse(command, event["debtor_account_id"], code, payment_id=event["payment_id"])
    return None


def review(branch: Books, event: dict[str, Any]) -> None:
    take(branch, [(event["debtor_account_id"], "DEBIT"), *payees_of_review(branch, event)])
    payment = held(branch, event, "payment_reviewed")
    if payment is None:
        return
    if payment.link is not None:
        if refused_as_moved_on(branch, event, "payment_reviewed"):
            return
        return review_link(branch, event, payment)
    if payment.state == "AUTHORISED":
        return review_hold(branch, event, payment)
    if refused_as_moved_on(branch, event, "payment_reviewed"):
        return
    if not event["approved"]:
        return release(branch, payment, "PaymentRejected", "declined")
    proceed(branch, payment)


def cancel(branch: Books, event: dict[str, Any]) -> None:
    take(branch, [(event["debtor_account_id"], "DEBIT")])
    payment = held(branch, event, "payment_cancelled")
    if payment is None:
        return
    if payment.link is not None:
        if refused_as_moved_on(branch, event, "payment_cancelled"):
            return
        return cancel_link(branch, payment)
    if payment.state == "AUTHORISED":
        return cancel_hold(branch, event, payment)
    if refused_as_moved_on(branch, event, "payment_cancelled"):
        return
    release(branch, payment, "outcomes.PaymentCancelled", "cancelled")


def post_leg(branch: Books, event: dict[str, Any]) -> None:
    key = (intern(event["tenant_id"]), event["leg_id"])
    late, home = comes_late(branch), sender(branch)
    if key in branch.legs and not late:
        raise Dead("leg_exists")
    creditor, currency, amount = event["creditor_account_id"], event["currency"], event["amount_minor"]
    take(branch, [(creditor, "CREDIT")])
    if not late:
        branch.legs[key] = event["occurred_at"], home
        branch.structure(row_key("l", *key), branch.legs[key])
        ended_for(branch, home, row_key("l", *key))
    code = (
        "too_old" if late else branch.creditor_code(creditor, currency) or too_full(branch, creditor, amount)
    )
    clearing, account = branch.account(f"$clearing:{currency}:{branch.number}"), branch.account(creditor)
    if code is None and not (room(clearing, "debits", amount) and room(account, "credits", amount)):
        code = "overflow"
    shared = ("leg_id", "payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    about_leg = {name: event[name] for name in shared}
    answer_id = branch.id_of("leg_answer")
    if code is not None:
        return branch.say(
            COMMANDS, event["debtor_account_id"], "LegRefused", answer_id, **about_leg, code=code
        )
    about = {"payment_id": event["payment_id"], "reference": event["reference"]}
    both: dict[str, Any] = {"metadata": event.get("metadata"), "exchange": event.get("exchange")}
    when = times_of(branch, event)
    branch.enter("leg", branch.own("clearing", currency), creditor, amount, when, **about, **both)
    about_leg |= when
    branch.say(COMMANDS, event["debtor_account_id"], "LegPosted", answer_id, **about_leg)


def in_flight(branch: Books, event: dict[str, Any]) -> Payment:
    """Return a payment of which a leg may be under way."""
    payment = branch.payments.get((event["tenant_id"], event["payment_id"]))
    if payment is None or payment.link or payment.state not in ("IN_FLIGHT", "AUTHORISED"):
        raise Dead("leg_not_expected")
    return payment


def leg_posted(branch: Books, event: dict[str, Any]) -> None:
    payment = in_flight(branch, event)
    if payment.state == "AUTHORISED":
        return capture_posted(branch, event, payment)
    settle(branch, payment, times_of(branch, event))


def leg_refused(branch: Books, event: dict[str, Any]) -> None:
    payment = in_flight(branch, event)
    if payment.state == "AUTHORISED":
        return capture_refused(branch, event, payment)
    release(branch, payment, "PaymentFailed", event["code"])
