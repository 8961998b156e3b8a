"""Payments on the debtor's branch: decided, reviewed, cancelled, settled, failed.

    payment_decided -> reserved -> creditor on this branch: settled at once
                                -> creditor on another: its leg is requested (`payment_legs`)
                                -> to be reviewed: held;  to be captured: a hold (`holds`)
                    -> rejected
    leg_posted      -> settled: the debtor is debited against the clearing account
    leg_refused     -> failed: the hold is released

A hold is a pending debit of the debtor and a pending credit of either the creditor (same branch) or the
branch's clearing account (creditor on another branch).
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.repeats import content_of, other_currency
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import hold_end
from pipeline.domain.ledger import captures, holds, link_commands
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.exchange import told
from pipeline.domain.ledger.expected_sequence import other_sequence, refuse_moved_on
from pipeline.domain.ledger.link_books import Flaw
from pipeline.domain.ledger.open_holds import is_crowded, payment_places
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.payment_legs import request_leg
from pipeline.domain.ledger.payment_refusals import convert, refusal_of, up_to_what_is_there
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rates import RateRules
from pipeline.domain.ledger.repeats import answer_to_payment
from pipeline.domain.ledger.rows import read_payment, write_payment
from pipeline.domain.ledger.sides import credited_of, emit_placed, end_hold, enter, reserve
from pipeline.domain.ledger.value_times import ValueTime, told_time
from pipeline.domain.tenants.settings import Tenants


def answer_repeat(event: ev.PaymentDecided, rows: Rows, out: Outbox) -> bool:
    """Refuse a payment whose id is known; return whether it is."""
    known = read_payment(rows, event.tenant_id, event.payment_id)
    if known is None:
        return False
    code = answer_to_payment(known, content_of(event))
    refuse(out, event, "payment_initiated", event.debtor_account_id, event.payment_id, code)
    return True


def answer_early(event: ev.PaymentDecided, out: Outbox) -> bool:
    """Reject a payment before its time, which is not remembered; return whether it is one.

    The fraud stream lets such a payment wait, unless its id was decided before. Where this branch does not
    know the id (the first one was too old, say), its money must not move early.
    """
    if event.execute_at is None or event.execute_at <= event.occurred_at:
        return False
    announce(out, event, event, "payment_rejected", "not_yet")
    return True


def decide(
    holds_max: int,
    rates: RateRules,
    event: ev.PaymentDecided,
    watermark: int,
    at: Arrival,
    rows: Rows,
    out: Outbox,
) -> None:
    """Reserve a payment whose id is new and settle it, hold it, or ask for its leg; or reject it.

    `holds_max`: how many holds an account may have open; `rates`: which rates count for a payment between
    currencies.
    """
    tenant = event.tenant_id
    payment = Payment(
        "REJECTED",
        "",
        event.debtor_account_id,
        event.creditor_account_id,
        event.amount_minor,
        event.currency,
        event.reference,
        event.occurred_at,
        event.payment_type,
        hold_end(event),
        event.metadata,
        creditor_currency=other_currency(event),
        named_rate_e8=event.rate_e8,
        capture_tolerance_bp=event.capture_tolerance_bp or None,
        execute_at=event.execute_at,
    )
    books = Books(event, at, rows)
    expires_at, debtor = payment.hold_expires_at, payment.debtor_account_id
    if event.balancing:
        payment.amount_minor, payment.asked_minor = up_to_what_is_there(event, books), event.amount_minor
    refusal = refusal_of(event, payment, watermark, books)
    if refusal is None and payment.creditor_currency is not None:
        refusal = convert(payment, rates, books)
    if refusal is None and expires_at is not None:
        held_in = payment_places(tenant, payment, at)
        if any(is_crowded(rows, tenant, place, holds_max) for place in held_in):
            refusal = "too_many_holds"
    if refusal is None:
        refusal = reserve(books, payment)
    if refusal is not None:
        payment.code, payment.amount_minor, payment.exchange = refusal, event.amount_minor, None
        write_payment(rows, tenant, event.payment_id, payment)
        mismatch = refusal == "sequence_mismatch"
        sequence = other_sequence(books, debtor, event.expected_sequence) if mismatch else None
        return announce(out, event, payment, "payment_rejected", refusal, account_sequence=sequence)
    exchange = told(payment.exchange, payment.amount_minor, payment.currency, credited_of(payment))
    announce(out, event, payment, "payment_reserved", "ok", exchange=exchange)
    if expires_at is not None:
        return holds.authorise(event, payment, books, out)
    if event.outcome == "REVIEW":
        payment.state = "HELD"
        payment.code = "ok"
        emit_placed(out, books, payment, event.payment_id)
        books.save(out)
        return write_payment(rows, tenant, event.payment_id, payment)
    _proceed(event, payment, books, out)


def _proceed(event: Any, payment: Payment, books: Books, out: Outbox) -> None:
    """Settle a reserved payment on this branch, or ask the creditor's branch for its leg."""
    debtor = payment.debtor_account_id
    if books.is_local(payment.creditor_account_id):
        _settle(event, payment, books, books.value_time(), out)
    else:
        if payment.state != "HELD":
            emit_placed(out, books, payment, event.payment_id)
        payment.state, payment.code = "IN_FLIGHT", "ok"
        books.save(out)
        # Derived from the payment, not from the event: an upstream may give two payments the same event id.
        leg_id = derived_id(debtor, f"leg:{event.payment_id}")
        request_leg(event, payment, books, out, leg_id, payment.amount_minor, credited_of(payment))
    write_payment(books.rows, event.tenant_id, event.payment_id, payment)


def _settle(event: Any, payment: Payment, books: Books, when: ValueTime, out: Outbox) -> None:
    """Turn the hold of a payment into an entry; it credits the creditor, or the clearing account."""
    payment.state, payment.code = "SETTLED", "ok"
    payment.effective_at = when.counts_at(event.occurred_at)
    about = EntryDetails(event.payment_id, payment.reference, when=when, metadata=payment.metadata)
    credited = credited_of(payment)
    enter(out, "settle", books, payment, payment.amount_minor, credited, about)
    books.save(out)
    exchange = told(payment.exchange, payment.amount_minor, payment.currency, credited)
    announce(out, event, payment, "payment_settled", "ok", exchange=exchange)


def review(tenants: Tenants, event: ev.PaymentReviewed, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Apply a review: let a held payment proceed, or release it; of a payment in a link, all of the link."""
    payment = _held(event, "payment_reviewed", rows, out)
    if payment is None:
        return
    if payment.link_id is not None:
        if refuse_moved_on(event, "payment_reviewed", rows, out):
            return None
        home = link_commands.held_link(event, payment, at, rows, out, tenants)
        if event.approved:
            return home.approve()
        return home.end("payment_rejected", "REJECTED", Flaw("declined"))
    if payment.state == "AUTHORISED":
        return holds.review(event, payment, at, rows, out)
    if refuse_moved_on(event, "payment_reviewed", rows, out):
        return
    books = Books(event, at, rows)
    if not event.approved:
        return _release(event, payment, books, out, "payment_rejected", "declined", "REJECTED")
    _proceed(event, payment, books, out)


def cancel(tenants: Tenants, event: ev.PaymentCancelled, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release a payment that is held; of a payment in a link, all of the link."""
    payment = _held(event, "payment_cancelled", rows, out)
    if payment is None:
        return
    if payment.link_id is not None:
        if refuse_moved_on(event, "payment_cancelled", rows, out):
            return None
        home = link_commands.held_link(event, payment, at, rows, out, tenants)
        return home.end("payment_cancelled", "CANCELLED", Flaw("cancelled"))
    if payment.state == "AUTHORISED":
        holds.cancel(event, payment, at, rows, out)
    elif not refuse_moved_on(event, "payment_cancelled", rows, out):
        books = Books(event, at, rows)
        _release(event, payment, books, out, "payment_cancelled", "cancelled", "CANCELLED")


def _held(event: Any, command: str, rows: Rows, out: Outbox) -> Payment | None:
    """Return the payment if it is held; otherwise answer why the command has no effect."""
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is not None and payment.debtor_account_id != event.debtor_account_id:
        payment = None
    if payment is None:
        code = "payment_not_found"
    elif payment.state in ("HELD", "AUTHORISED"):
        if payment.link_id == event.link_id:
            return payment
        code = "link_mismatch"
    else:
        code = {"IN_FLIGHT": "payment_in_flight", "SETTLED": "already_settled"}.get(
            payment.state, "already_failed"
        )
    refuse(out, event, command, event.debtor_account_id, event.payment_id, code)
    return None


def _release(
    event: Any, payment: Payment, books: Books, out: Outbox, outcome: str, code: str, state: str
) -> None:
    """Release the hold of a payment and end the payment."""
    end_hold(out, books, payment, event.payment_id, payment.amount_minor, credited_of(payment))
    books.save(out)
    payment.state, payment.code = state, code
    write_payment(books.rows, event.tenant_id, event.payment_id, payment)
    announce(out, event, payment, outcome, code)


def leg_posted(event: ev.LegPosted, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Settle a payment whose leg the creditor's branch has posted.

    Raises: Reject for an answer that no payment waits for.
    """
    payment = _waiting(event, rows)
    if payment.state == "AUTHORISED":
        return captures.leg_answered(event, payment, at, rows, out)
    books = Books(event, at, rows)
    _settle(event, payment, books, told_time(event, books.closed_through), out)
    write_payment(rows, event.tenant_id, event.payment_id, payment)


def leg_refused(event: ev.LegRefused, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release a payment whose leg the creditor's branch has refused.

    Raises: Reject for an answer that no payment waits for.
    """
    payment = _waiting(event, rows)
    if payment.state == "AUTHORISED":
        return captures.leg_answered(event, payment, at, rows, out)
    _release(event, payment, Books(event, at, rows), out, "payment_failed", event.code, "FAILED")


def _waiting(event: Any, rows: Rows) -> Payment:
    """Return the payment that a leg's answer belongs to.

    Raises: Reject for an answer that no payment waits for.
    """
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.state not in ("IN_FLIGHT", "AUTHORISED") or payment.link_id is not None:
        raise Reject("leg_not_expected")
    return payment
