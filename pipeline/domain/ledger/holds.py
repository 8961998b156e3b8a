"""Holds for captures: placed by a payment, reviewed, cancelled, expired.

    payment_decided with hold_expires_at, or hold -> AUTHORISED: held, until
        payment_captured  -> a part of it is posted (`captures`)
        payment_extended  -> it lasts longer (`extensions`)
        payment_cancelled -> what is left is released
        it expires        -> what is left is released (`due`)

Invariants: the amount held for a payment is its amount less the captured amount, and at least that of the
legs in flight, which may take more than was left (`captures`); after the hold has ended, it is theirs. A
payment whose hold has ended is finished when no leg is in flight: settled if anything was captured.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id, envelope
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.books import Books, EntryDetails
from pipeline.domain.ledger.due import HOLD, Due, schedule, unschedule
from pipeline.domain.ledger.exchange import told
from pipeline.domain.ledger.expected_sequence import refuse_moved_on
from pipeline.domain.ledger.open_holds import payment_places
from pipeline.domain.ledger.outputs import announce
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import HOLD_ROW, read_payment, write_payment
from pipeline.domain.ledger.sides import credited_of, emit_placed, end_hold, enter
from pipeline.domain.ledger.value_times import ValueTime

POSTED, IN_FLIGHT, REFUSED = "POSTED", "IN_FLIGHT", "REFUSED"
_OVER = {"SETTLED": "already_settled", "EXPIRED": "expired", "CANCELLED": "cancelled"}
OUTCOMES = {"cancelled": "payment_cancelled", "expired": "payment_expired"}


class Capture(msgspec.Struct, array_like=True, gc=False):
    """One capture of a hold."""

    capture_id: str
    amount_minor: int
    leg_id: str
    """Empty where the creditor is on the debtor's branch."""
    state: str
    """POSTED, IN_FLIGHT or REFUSED."""
    final: bool | None
    """As the command said, as `rest`; None in a hold of layout 1."""
    rest: bool | None
    """Whether the command named no amount: all that was left."""
    credited_minor: int | None
    """Of a payment between currencies: what the creditor gets for it; None: `amount_minor`."""


class Hold(msgspec.Struct, array_like=True, gc=False):
    """A hold for captures on the debtor's branch, beside the row of its payment; amounts in minor units."""

    expires_at: int
    under_review: bool
    captured: int
    capturing: int
    """The amount of the legs in flight."""
    ended: str
    """Why it has ended: ok, cancelled, expired, or the code of a refusal; empty while it has not."""
    correlation_id: str
    event_id: str
    """The event id of the payment_decided."""
    captures: list[Capture]

    def remaining(self, payment: Payment) -> int:
        """Return what is held and can still be captured."""
        return 0 if self.ended else max(0, payment.amount_minor - self.captured - self.capturing)

    def held(self, payment: Payment) -> int:
        """Return the amount held, legs in flight included."""
        return self.remaining(payment) + self.capturing

    def credited(self, *states: str) -> int:
        """Return what the creditor gets for the captures in some states, minor units of that currency."""
        return sum(
            one.amount_minor if one.credited_minor is None else one.credited_minor
            for one in self.captures
            if one.state in states
        )

    def uncredited(self, payment: Payment) -> int:
        """Return what is left of what the creditor gets, legs in flight taken off."""
        return credited_of(payment) - self.credited(POSTED, IN_FLIGHT)


unpack_hold = unpacker(HOLD_ROW, Hold)
"""Return the hold of a row. Raises UnreadableRow."""


def hold_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a hold."""
    return row_key(HOLD_ROW.family, tenant_id, payment_id)


def read_hold(rows: Rows, tenant_id: str, payment_id: str) -> Hold | None:
    """Return the hold of a payment, or None where it has none."""
    row = rows.get(hold_key(tenant_id, payment_id))
    return None if row is None else unpack_hold(row)


def due_of(tenant_id: str, payment: Payment, payment_id: str, hold: Hold) -> Due:
    """Return when a hold ends."""
    return Due(hold.expires_at, HOLD, tenant_id, payment.debtor_account_id, payment_id)


def authorise(event: ev.PaymentDecided, payment: Payment, books: Books, out: Outbox) -> None:
    """Turn the reservation of a payment into a hold for captures."""
    ends = payment.hold_expires_at
    assert ends is not None
    hold = Hold(ends, event.outcome == "REVIEW", 0, 0, "", event.correlation_id, event.event_id, [])
    payment.state, payment.code = "AUTHORISED", "ok"
    emit_placed(out, books, payment, event.payment_id)
    books.save(out)
    write_payment(books.rows, event.tenant_id, event.payment_id, payment)
    books.rows.put(hold_key(event.tenant_id, event.payment_id), HOLD_ROW.pack(hold))
    due = due_of(event.tenant_id, payment, event.payment_id, hold)
    schedule(books.rows, due, payment_places(event.tenant_id, payment, books.at))


class HeldPayment:
    """A payment with its hold, and the books of one command on it."""

    def __init__(
        self, event: Any, at: Arrival, rows: Rows, out: Outbox, payment: Payment, hold: Hold
    ) -> None:
        self.event, self.out, self.payment, self.hold = event, out, payment, hold
        self.books = Books(event, at, rows)
        self._before = payment.state, payment.effective_at

    def save(self) -> None:
        """Write the accounts, the hold, and the payment if it has changed."""
        rows, tenant, payment_id = self.books.rows, self.event.tenant_id, self.event.payment_id
        self.books.save(self.out)
        if (self.payment.state, self.payment.effective_at) != self._before:
            write_payment(rows, tenant, payment_id, self.payment)
        rows.put(hold_key(tenant, payment_id), HOLD_ROW.pack(self.hold))

    def release(self, amount: int, credited: int) -> None:
        """Release a part of the amount held, minor units, and emit it; arguments as of `sides.sides`."""
        end_hold(self.out, self.books, self.payment, self.event.payment_id, amount, credited)

    def enter(self, amount: int, credited: int, when: ValueTime) -> None:
        """Post a part of the amount held; arguments as of `sides.sides`; `when` it counts."""
        payment = self.payment
        about = EntryDetails(self.event.payment_id, payment.reference, when=when, metadata=payment.metadata)
        enter(self.out, "capture", self.books, payment, amount, credited, about)
        self.hold.captured += amount
        payment.effective_at = when.latest(payment.effective_at, self.event.occurred_at)

    def end(self, code: str) -> None:
        """End the hold: release everything but the legs in flight; `code` is the reason."""
        remaining = self.hold.remaining(self.payment)
        if remaining:
            self.release(remaining, self.hold.uncredited(self.payment))
        self.hold.ended = code
        tenant = self.event.tenant_id
        due = due_of(tenant, self.payment, self.event.payment_id, self.hold)
        unschedule(self.books.rows, due, payment_places(tenant, self.payment, self.books.at))

    def end_at_once(self, code: str, cause: Any = None) -> None:
        """End the hold, and the payment unless a leg is in flight; save. Arguments as of `finish`."""
        self.end(code)
        if self.is_over():
            self.finish(code, cause)
        self.save()

    def is_over(self) -> bool:
        """Whether the payment can finish."""
        return bool(self.hold.ended) and not self.hold.capturing

    def finish(self, code: str, cause: Any = None) -> None:
        """End the payment and emit how: settled if anything was captured, else as `code` says.

        `cause`: the event that ends it, where that is not the command.
        """
        payment = self.payment
        if self.hold.captured:
            payment.state, payment.code = "SETTLED", "ok"
            captured, credited = self.hold.captured, self.hold.credited(POSTED)
            exchange = told(payment.exchange, captured, payment.currency, credited)
            announce(self.out, self.event, payment, "payment_settled", "ok", captured, exchange=exchange)
        else:
            outcome = OUTCOMES.get(code, "payment_failed")
            payment.state, payment.code = outcome.removeprefix("payment_").upper(), code
            announce(self.out, cause or self.event, payment, outcome, code)

    def emit_captured(self, capture: Capture) -> None:
        """Emit that a capture is posted."""
        cause, payment = self.event, self.payment
        credited = capture.credited_minor or 0
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
                cause.actor,
                exchange=told(payment.exchange, capture.amount_minor, payment.currency, credited),
            ),
        )


def held_payment(event: ev.PaymentCaptured | ev.PaymentExtended, rows: Rows) -> tuple[Payment, Hold] | str:
    """Return the payment and the hold that a command names, or the result code of its refusal."""
    payment = read_payment(rows, event.tenant_id, event.payment_id)
    if payment is None or payment.debtor_account_id != event.debtor_account_id:
        return "payment_not_found"
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    return "payment_not_authorised" if hold is None else (payment, hold)


def why_ended(payment: Payment, hold: Hold) -> str | None:
    """Return the result code of a capture if the hold has ended, or None if it has not."""
    if payment.state != "AUTHORISED":
        return _OVER.get(payment.state, "already_failed")
    if hold.ended:
        return hold.ended if hold.ended in OUTCOMES else "already_settled"
    return None


def review(event: ev.PaymentReviewed, payment: Payment, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Apply a review: allow captures of the hold, or release it."""
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    assert hold is not None, "an authorised payment has a hold"
    debtor, payment_id = event.debtor_account_id, event.payment_id
    if not hold.under_review:
        return refuse(out, event, "payment_reviewed", debtor, payment_id, "payment_not_held")
    if refuse_moved_on(event, "payment_reviewed", rows, out):
        return
    held = HeldPayment(event, at, rows, out, payment, hold)
    if event.approved:
        hold.under_review = False
        return rows.put(hold_key(event.tenant_id, payment_id), HOLD_ROW.pack(hold))
    held.end("declined")
    payment.state, payment.code = "REJECTED", "declined"
    announce(out, event, payment, "payment_rejected", "declined")
    held.save()


def cancel(event: ev.PaymentCancelled, payment: Payment, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release the remaining amount of a hold."""
    hold = read_hold(rows, event.tenant_id, event.payment_id)
    assert hold is not None, "an authorised payment has a hold"
    if hold.ended:
        debtor = event.debtor_account_id
        return refuse(out, event, "payment_cancelled", debtor, event.payment_id, "payment_in_flight")
    if refuse_moved_on(event, "payment_cancelled", rows, out):
        return
    HeldPayment(event, at, rows, out, payment, hold).end_at_once("cancelled")


def expire(due: Due, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release the remaining amount of a hold that has expired."""
    payment, hold = read_payment(rows, due.tenant_id, due.id), read_hold(rows, due.tenant_id, due.id)
    assert payment is not None and hold is not None, "what falls due is held"
    envelope = (due.tenant_id, due.time, hold.correlation_id)
    # payment_expired is caused by the decision, and everything else by payment_expired.
    decided = ev.PaymentCancelled(
        hold.event_id, *envelope, None, due.id, payment.debtor_account_id, "its time is over"
    )
    expired = structs.replace(decided, event_id=derived_id(cause_name(decided), "payment_expired"))
    HeldPayment(expired, at, rows, out, payment, hold).end_at_once("expired", decided)
