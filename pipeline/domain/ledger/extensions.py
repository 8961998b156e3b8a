"""Extensions: a hold for captures ends at a later time than it was to end."""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.outbox import Arrival, Outbox, envelope
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.due import schedule, unschedule
from pipeline.domain.ledger.expected_sequence import refuse_moved_on
from pipeline.domain.ledger.holds import due_of, held_payment, hold_key, why_ended
from pipeline.domain.ledger.open_holds import payment_places
from pipeline.domain.ledger.rows import HOLD_ROW


def extend(event: ev.PaymentExtended, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Move the expiry of a hold to a later time."""

    def refuse_with(code: str) -> None:
        refuse(out, event, "payment_extended", event.debtor_account_id, event.payment_id, code)

    found = held_payment(event, rows)
    if isinstance(found, str):
        return refuse_with(found)
    payment, hold = found
    code = why_ended(payment, hold)
    if code is None and hold.expires_at <= watermark:
        code = "expired"
    elif code is None and event.hold_expires_at <= hold.expires_at:
        code = "expiry_not_later"
    if code is not None:
        return refuse_with(code)
    if refuse_moved_on(event, "payment_extended", rows, out):
        return
    held_in = payment_places(event.tenant_id, payment, at)
    unschedule(rows, due_of(event.tenant_id, payment, event.payment_id, hold), held_in)
    hold.expires_at = event.hold_expires_at
    schedule(rows, due_of(event.tenant_id, payment, event.payment_id, hold), held_in)
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
            event.actor,
        ),
    )
