"""Captures of a hold: each posts a part of it, at once or, with the creditor elsewhere, by a leg.

    payment_captured -> creditor here: posted        -> the last one, or a final one: the payment is settled
                     -> creditor on another branch: its leg is requested -> posted, or refused and still held

The capture that takes all the rest may take more, within the payment's tolerance; what is more is held for it
first, and judged as a new payment.

A capture id has an effect once. After a refused leg, the upstream captures again under a new id.
"""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.exchange import converted
from pipeline.domain.ledger.expected_sequence import moved_on
from pipeline.domain.ledger.holds import (
    IN_FLIGHT,
    OUTCOMES,
    POSTED,
    REFUSED,
    Capture,
    HeldPayment,
    Hold,
    held_payment,
    read_hold,
    why_ended,
)
from pipeline.domain.ledger.payment_legs import request_leg
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.repeats import capture_code
from pipeline.domain.ledger.value_times import told_time

BASIS_POINTS = 10_000
"""As many as the whole."""
CAPTURES_MAX = 100
"""The most captures of one hold; its row stores them all."""


def capture(event: ev.PaymentCaptured, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post a part of a hold, or ask the creditor's branch for its leg."""

    def refuse_with(code: str) -> None:
        debtor = event.debtor_account_id
        about = (out, event, "payment_captured", debtor, event.payment_id, code)
        sequence = moved_on(event, debtor, rows) if code == "sequence_mismatch" else None
        refuse(*about, capture_id=event.capture_id, account_sequence=sequence)

    found = held_payment(event, rows)
    if isinstance(found, str):
        return refuse_with(found)
    held = HeldPayment(event, at, rows, out, *found)
    amount = held.hold.remaining(held.payment) if event.amount_minor is None else event.amount_minor
    code = _capture_code(event, held, amount, watermark) or _hold_more(event, held, amount)
    if code is not None:
        return refuse_with(code)
    credited = _credited(held, amount)
    if held.books.is_local(held.payment.creditor_account_id):
        _capture_here(event, held, amount, credited)
    else:
        _capture_elsewhere(event, held, amount, credited)


def _capture_code(event: ev.PaymentCaptured, held: HeldPayment, amount: int, watermark: int) -> str | None:
    """Return the first reason for which nothing is captured, or None."""
    payment, hold = held.payment, held.hold
    for known in hold.captures:
        if known.capture_id == event.capture_id:
            return capture_code(known, event)
    code = why_ended(payment, hold)
    if code is not None:
        return code
    remaining = hold.remaining(payment)
    for code, holds in (
        ("payment_under_review", hold.under_review),
        ("expired", hold.expires_at <= watermark),
        ("amount_must_be_positive", event.amount_minor is not None and event.amount_minor <= 0),
        ("exceeds_held_amount", not remaining or amount > _capturable(payment, hold)),
        ("amount_must_be_positive", not _credited(held, amount)),
        ("too_many_captures", len(hold.captures) >= CAPTURES_MAX),
    ):
        if holds:
            return code
    return None


def _credited(held: HeldPayment, amount: int) -> int:
    """Return what the creditor gets for a part of a hold, by the rate of the reservation.

    Parts are rounded each, the last one gets what is left: together they are what was reserved.
    """
    payment, left = held.payment, held.hold.uncredited(held.payment)
    by = payment.exchange
    if by is None:
        return amount
    if amount == held.hold.remaining(payment):
        return left
    return min(left, converted(amount, payment.currency, by.currency, by.rate_e8, by.rate_currency))


def _capturable(payment: Payment, hold: Hold) -> int:
    """Return how much the next capture may take: what is held, and more within the payment's tolerance.

    The tolerance is of the payment's amount, for all captures together, rounded down.
    """
    most = payment.amount_minor * (BASIS_POINTS + (payment.capture_tolerance_bp or 0)) // BASIS_POINTS
    return most - hold.captured - hold.capturing


def _hold_more(event: ev.PaymentCaptured, held: HeldPayment, amount: int) -> str | None:
    """Hold what a capture takes beyond what is held; return why its accounts do not allow it, or None.

    It is judged as a new payment of the difference: what was held is a promise, and this is not. Only a hold
    in one currency has a tolerance.
    """
    payment, books = held.payment, held.books
    more = amount - held.hold.remaining(payment)
    debtor, creditor = payment.debtor_account_id, payment.creditor_account_id
    code = books.debtor_code(debtor, payment.currency) if more > 0 else None
    if code is None and moved_on(event, debtor, books.rows) is not None:
        code = "sequence_mismatch"
    if more <= 0:
        return code
    if code is None and books.is_local(creditor):
        code = books.creditor_code(creditor, payment.currency, more)
    if code is None:
        code = books.reserve(debtor, books.counterpart(payment), payment.currency, more)
    if code is None:
        books.emit_hold(held.out, "PLACED", held.event.payment_id, debtor, more, "hold_placed")
    return code


def _capture_of(
    event: ev.PaymentCaptured, held: HeldPayment, amount: int, credited: int, leg_id: str, state: str
) -> Capture:
    other = None if held.payment.exchange is None else credited
    return Capture(event.capture_id, amount, leg_id, state, event.final, event.amount_minor is None, other)


def _capture_here(event: ev.PaymentCaptured, held: HeldPayment, amount: int, credited: int) -> None:
    """Post a capture whose creditor is on this branch."""
    held.enter(amount, credited, held.books.value_time())
    taken = _capture_of(event, held, amount, credited, "", POSTED)
    held.hold.captures.append(taken)
    if event.final or not held.hold.remaining(held.payment):
        held.end("ok")
    held.emit_captured(taken)
    if held.is_over():
        held.finish("ok")
    held.save()


def _capture_elsewhere(event: ev.PaymentCaptured, held: HeldPayment, amount: int, credited: int) -> None:
    """Request the leg of a capture whose creditor is on another branch."""
    payment, hold, books = held.payment, held.hold, held.books
    # The amount stays held. NUL separates the ids, so that no two pairs of ids give the same leg id.
    leg_id = derived_id(payment.debtor_account_id, f"leg:{event.payment_id}\0{event.capture_id}")
    hold.captures.append(_capture_of(event, held, amount, credited, leg_id, IN_FLIGHT))
    hold.capturing += amount
    if event.final:
        held.end("ok")
    held.save()
    request_leg(event, payment, books, held.out, leg_id, amount, credited)


def leg_answered(
    event: ev.LegPosted | ev.LegRefused, payment: Payment, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Post the capture whose leg was posted, or release the one whose leg was refused.

    Raises: Reject for the answer of a leg that was not requested, or was answered before.
    """
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    captures = [] if hold is None else hold.captures
    taken = next((one for one in captures if one.leg_id == event.leg_id and one.state == IN_FLIGHT), None)
    if hold is None or taken is None:
        raise Reject("leg_not_expected")
    held = HeldPayment(event, at, rows, out, payment, hold)
    amount = taken.amount_minor
    credited = amount if taken.credited_minor is None else taken.credited_minor
    code = "ok"
    if isinstance(event, ev.LegPosted):
        hold.capturing -= amount
        held.enter(amount, credited, told_time(event, held.books.closed_through))
        taken.state = POSTED
        if not hold.ended and hold.captured >= payment.amount_minor:
            held.end("ok")
        held.emit_captured(taken)
    else:
        taken.state, code, before = REFUSED, event.code, hold.held(payment)
        hold.capturing -= amount
        freed = before - hold.held(payment)
        if freed:  # the hold has ended, or more was held for this capture
            held.release(freed, credited if freed == amount else freed)
        debtor = payment.debtor_account_id
        refuse(out, event, "payment_captured", debtor, event.payment_id, code, capture_id=taken.capture_id)
    if held.is_over():
        held.finish(hold.ended if hold.ended in OUTCOMES else code)
    held.save()
