"""Holds that are captured: in parts, until they are used up, ended, or run out of time.

    payment_decided with hold_expires_at -> AUTHORISED: held, until
        payment_captured  -> a part is posted (creditor here) or its leg asked for (creditor elsewhere)
        payment_extended  -> it lasts longer
        payment_cancelled -> what is left is released
        its time comes    -> likewise (`due`)

What is held for a payment is always its amount less what was captured, but for a hold that has ended: then it
is what legs are under way for. A payment whose hold has ended finishes when no leg is under way: settled if
anything was captured.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id, envelope
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.books import About, Books
from pipeline.domain.ledger.due import HOLD, Due, schedule, unschedule
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.rows import HOLD_ROW, Payment, read_payment, write_payment

CAPTURES_MAX = 100
"""Captures of one hold; its row keeps them all."""
POSTED, IN_FLIGHT, REFUSED = "POSTED", "IN_FLIGHT", "REFUSED"
_OVER = {"SETTLED": "already_settled", "EXPIRED": "expired", "CANCELLED": "cancelled"}
_OUTCOMES = {"cancelled": "payment_cancelled", "expired": "payment_expired"}


class Capture(msgspec.Struct, array_like=True, gc=False):
    """One capture of a hold."""

    capture_id: str
    amount_minor: int
    leg_id: str
    """Empty where the creditor is on the debtor's branch."""
    state: str
    """POSTED, IN_FLIGHT or REFUSED."""


class Hold(msgspec.Struct, array_like=True, gc=False):
    """What the debtor's branch remembers of a hold, beside its payment; amounts in minor units."""

    expires_at: int
    under_review: bool
    captured: int
    capturing: int
    """What legs are under way for."""
    ended: str
    """Why nothing more is held but for legs under way: ok, cancelled, expired, or a refusal; else empty."""
    correlation_id: str
    event_id: str
    """Of the payment_decided."""
    captures: list[Capture]

    def remaining(self, payment: Payment) -> int:
        """Return what can still be captured."""
        return 0 if self.ended else payment.amount_minor - self.captured - self.capturing

    def held(self, payment: Payment) -> int:
        """Return what is held, legs under way included."""
        return self.remaining(payment) + self.capturing


unpack_hold = unpacker(HOLD_ROW, Hold)
"""Return the hold of a row. Raises UnknownLayout."""


def hold_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a hold."""
    return row_key(HOLD_ROW.family, tenant_id, payment_id)


def read_hold(rows: Rows, tenant_id: str, payment_id: str) -> Hold | None:
    """Return a hold that is to be captured, or None where the payment has none."""
    row = rows.get(hold_key(tenant_id, payment_id))
    return None if row is None else unpack_hold(row)


def _due(tenant_id: str, payment: Payment, payment_id: str, hold: Hold) -> Due:
    return Due(hold.expires_at, HOLD, tenant_id, payment.debtor_account_id, payment_id)


def authorise(event: ev.PaymentDecided, payment: Payment, books: Books, out: Outbox) -> None:
    """Keep what was reserved for a payment as a hold to be captured."""
    assert event.hold_expires_at is not None
    hold = Hold(
        event.hold_expires_at, event.outcome == "REVIEW", 0, 0, "", event.correlation_id, event.event_id, []
    )
    payment.state, payment.code = "AUTHORISED", "ok"
    books.say_hold(
        out, "PLACED", event.payment_id, payment.debtor_account_id, payment.amount_minor, "hold_placed"
    )
    books.save(out)
    write_payment(books.rows, event.tenant_id, event.payment_id, payment)
    books.rows.put(hold_key(event.tenant_id, event.payment_id), HOLD_ROW.pack(hold))
    schedule(books.rows, _due(event.tenant_id, payment, event.payment_id, hold))


class _Held:
    """A hold, its payment and the books of one command on it."""

    def __init__(
        self, event: Any, at: Arrival, rows: Rows, out: Outbox, payment: Payment, hold: Hold
    ) -> None:
        self.event, self.out, self.payment, self.hold = event, out, payment, hold
        self.books = Books(event, at, rows)
        self._state = payment.state

    def save(self) -> None:
        """Write everything."""
        rows, tenant, payment_id = self.books.rows, self.event.tenant_id, self.event.payment_id
        self.books.save(self.out)
        if self.payment.state != self._state:
            write_payment(rows, tenant, payment_id, self.payment)
        rows.put(hold_key(tenant, payment_id), HOLD_ROW.pack(self.hold))

    def release(self, amount: int) -> None:
        """Give back a part of what is held, and say so."""
        payment, books = self.payment, self.books
        debtor = payment.debtor_account_id
        books.release(debtor, books.counterpart(payment), payment.currency, amount)
        books.say_hold(self.out, "RELEASED", self.event.payment_id, debtor, amount, "hold_released")

    def enter(self, amount: int) -> None:
        """Post a part of what is held."""
        payment, books = self.payment, self.books
        debtor, credit = payment.debtor_account_id, books.counterpart(payment)
        books.release(debtor, credit, payment.currency, amount)
        about = About(self.event.payment_id, payment.reference)
        books.enter(self.out, "capture", debtor, credit, amount, about)
        self.hold.captured += amount

    def end(self, code: str) -> None:
        """Hold no more than legs are under way for."""
        remaining = self.hold.remaining(self.payment)
        if remaining:
            self.release(remaining)
        self.hold.ended = code
        unschedule(
            self.books.rows, _due(self.event.tenant_id, self.payment, self.event.payment_id, self.hold)
        )

    def is_over(self) -> bool:
        """Whether the payment can finish."""
        return bool(self.hold.ended) and not self.hold.capturing

    def finish(self, code: str, cause: Any = None) -> None:
        """Say what the payment has become; `code` is why, and `cause` what by, if nothing was captured."""
        payment = self.payment
        if self.hold.captured:
            payment.state, payment.code = "SETTLED", "ok"
            announce(self.out, self.event, payment, "payment_settled", "ok", self.hold.captured)
        else:
            outcome = _OUTCOMES.get(code, "payment_failed")
            payment.state, payment.code = outcome.removeprefix("payment_").upper(), code
            announce(self.out, cause or self.event, payment, outcome, code)

    def say_captured(self, capture: Capture) -> None:
        """Say that a capture is posted."""
        cause, payment = self.event, self.payment
        self.out.emit(
            "payment-events",
            f"{cause.tenant_id}/{payment.debtor_account_id}",
            ev.PaymentCapturedOutcome(
                *envelope(cause, "payment_captured"),
                cause.payment_id,
                payment.debtor_account_id,
                payment.creditor_account_id,
                capture.amount_minor,
                payment.currency,
                capture.capture_id,
                self.hold.captured,
                self.hold.held(payment),
                "ok",
            ),
        )


def _standing(event: ev.PaymentCaptured | ev.PaymentExtended, rows: Rows) -> tuple[Payment, Hold] | str:
    """Return the payment and the hold that a command is on, or why there is none."""
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.debtor_account_id != event.debtor_account_id:
        return "payment_not_found"
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    return "payment_not_authorised" if hold is None else (payment, hold)


def _over(payment: Payment, hold: Hold) -> str | None:
    """Return why nothing of a hold can be captured any more, or None."""
    if payment.state != "AUTHORISED":
        return _OVER.get(payment.state, "already_failed")
    if hold.ended:
        return hold.ended if hold.ended in _OUTCOMES else "already_settled"
    return None


def capture(event: ev.PaymentCaptured, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Post a part of a hold, or ask the creditor's branch for its leg."""

    def no(code: str) -> None:
        debtor, ids = event.debtor_account_id, {"capture_id": event.capture_id}
        refuse(out, event, "payment_captured", debtor, event.payment_id, code, **ids)

    found = _standing(event, rows)
    if isinstance(found, str):
        return no(found)
    held = _Held(event, at, rows, out, *found)
    amount = held.hold.remaining(held.payment) if event.amount_minor is None else event.amount_minor
    code = _capture_code(event, held, amount, watermark)
    if code is not None:
        return no(code)
    if held.books.is_local(held.payment.creditor_account_id):
        _capture_here(event, held, amount)
    else:
        _capture_elsewhere(event, held, amount)


def _capture_code(event: ev.PaymentCaptured, held: _Held, amount: int, watermark: int) -> str | None:
    """Return the first reason for which nothing is captured, or None."""
    payment, hold = held.payment, held.hold
    for known in hold.captures:
        if known.capture_id == event.capture_id:
            same = event.amount_minor is None or event.amount_minor == known.amount_minor
            return "exists" if same else "exists_with_different_amount"
    code = _over(payment, hold)
    if code is not None:
        return code
    remaining = hold.remaining(payment)
    for code, holds in (
        ("payment_under_review", hold.under_review),
        ("expired", hold.expires_at <= watermark),
        ("amount_must_be_positive", event.amount_minor is not None and event.amount_minor <= 0),
        ("exceeds_held_amount", not remaining or amount > remaining),
        ("too_many_captures", len(hold.captures) >= CAPTURES_MAX),
    ):
        if holds:
            return code
    if held.books.is_local(payment.creditor_account_id):
        return held.books.creditor_code(payment.creditor_account_id, payment.currency)
    return None


def _capture_here(event: ev.PaymentCaptured, held: _Held, amount: int) -> None:
    held.enter(amount)
    taken = Capture(event.capture_id, amount, "", POSTED)
    held.hold.captures.append(taken)
    if event.final or not held.hold.remaining(held.payment):
        held.end("ok")
    held.say_captured(taken)
    if held.is_over():
        held.finish("ok")
    held.save()


def _capture_elsewhere(event: ev.PaymentCaptured, held: _Held, amount: int) -> None:
    payment, hold, books = held.payment, held.hold, held.books
    # The amount stays held; NUL, because both ids are free and one text must not stand for two pairs.
    leg_id = derived_id(payment.debtor_account_id, f"leg:{event.payment_id}\0{event.capture_id}")
    hold.captures.append(Capture(event.capture_id, amount, leg_id, IN_FLIGHT))
    hold.capturing += amount
    if event.final:
        held.end("ok")
    held.save()
    request_leg(event, payment, books, out=held.out, leg_id=leg_id, amount=amount)


def request_leg(event: Any, payment: Payment, books: Books, *, out: Outbox, leg_id: str, amount: int) -> None:
    """Ask the creditor's branch to book its side of an amount."""
    out.emit(
        "ledger-commands",
        f"{event.tenant_id}/{payment.creditor_account_id}",
        ev.LegRequested(
            *envelope(event, "leg_requested"),
            leg_id,
            event.payment_id,
            payment.creditor_account_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            amount,
            payment.currency,
            books.branch,
            payment.reference,
        ),
    )


def leg_answered(
    event: ev.LegPosted | ev.LegRefused, payment: Payment, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Post the capture whose leg is booked, or give back the one whose leg is refused."""
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    captures = [] if hold is None else hold.captures
    taken = next((one for one in captures if one.leg_id == event.leg_id and one.state == IN_FLIGHT), None)
    if hold is None or taken is None:
        raise Reject("leg_not_expected")
    held = _Held(event, at, rows, out, payment, hold)
    code = "ok"
    if isinstance(event, ev.LegPosted):
        hold.capturing -= taken.amount_minor
        held.enter(taken.amount_minor)
        taken.state = POSTED
        if not hold.ended and hold.captured == payment.amount_minor:
            held.end("ok")
        held.say_captured(taken)
    else:
        taken.state, code = REFUSED, event.code
        if hold.ended:
            held.release(taken.amount_minor)
        hold.capturing -= taken.amount_minor
        debtor = payment.debtor_account_id
        refuse(out, event, "payment_captured", debtor, event.payment_id, code, capture_id=taken.capture_id)
    if held.is_over():
        held.finish(hold.ended if hold.ended in _OUTCOMES else code)
    held.save()


def extend(event: ev.PaymentExtended, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Let a hold last longer."""

    def no(code: str) -> None:
        refuse(out, event, "payment_extended", event.debtor_account_id, event.payment_id, code)

    found = _standing(event, rows)
    if isinstance(found, str):
        return no(found)
    payment, hold = found
    code = _over(payment, hold)
    if code is None and hold.expires_at <= watermark:
        code = "expired"
    if code is None and event.hold_expires_at <= hold.expires_at:
        code = "expiry_not_later"
    if code is not None:
        return no(code)
    unschedule(rows, _due(event.tenant_id, payment, event.payment_id, hold))
    hold.expires_at = event.hold_expires_at
    schedule(rows, _due(event.tenant_id, payment, event.payment_id, hold))
    rows.put(hold_key(event.tenant_id, event.payment_id), HOLD_ROW.pack(hold))
    out.emit(
        "payment-events",
        f"{event.tenant_id}/{payment.debtor_account_id}",
        ev.PaymentExtendedOutcome(
            *envelope(event, "payment_extended"),
            event.payment_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            payment.amount_minor,
            payment.currency,
            hold.expires_at,
            "ok",
        ),
    )


def review(event: ev.PaymentReviewed, payment: Payment, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Let a hold that was under review be captured, or release it."""
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    assert hold is not None, "an authorised payment has a hold"
    if not hold.under_review:
        debtor = event.debtor_account_id
        return refuse(out, event, "payment_reviewed", debtor, event.payment_id, "payment_not_held")
    held = _Held(event, at, rows, out, payment, hold)
    code = None if event.approved else "declined"
    if code is None and held.books.is_local(payment.creditor_account_id):
        code = held.books.creditor_code(payment.creditor_account_id, payment.currency)
    if code is None:
        hold.under_review = False
        rows.put(hold_key(event.tenant_id, event.payment_id), HOLD_ROW.pack(hold))
        return
    held.end(code)
    outcome = "payment_failed" if event.approved else "payment_rejected"
    payment.state, payment.code = outcome.removeprefix("payment_").upper(), code
    announce(out, event, payment, outcome, code)
    held.save()


def cancel(event: ev.PaymentCancelled, payment: Payment, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release what is left of a hold."""
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    assert hold is not None, "an authorised payment has a hold"
    if hold.ended:
        debtor = event.debtor_account_id
        return refuse(out, event, "payment_cancelled", debtor, event.payment_id, "payment_in_flight")
    held = _Held(event, at, rows, out, payment, hold)
    held.end("cancelled")
    if held.is_over():
        held.finish("cancelled")
    held.save()


def expire(due: Due, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release what is left of a hold whose time is over."""
    payment, hold = read_payment(rows, due.tenant_id, due.id), read_hold(rows, due.tenant_id, due.id)
    assert payment is not None and hold is not None, "what falls due is still held"
    envelope = (due.tenant_id, due.time, hold.correlation_id)
    # Two causes: the decision brings payment_expired about, and that is the cause of all else.
    decided = ev.PaymentCancelled(
        hold.event_id, *envelope, None, due.id, payment.debtor_account_id, "its time is over"
    )
    expired = structs.replace(decided, event_id=derived_id(cause_name(decided), "payment_expired"))
    held = _Held(expired, at, rows, out, payment, hold)
    held.end("expired")
    if held.is_over():
        held.finish("expired", decided)
    held.save()
