"""What the ledger says of payments, on payment-events."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox, envelope

_OUTCOMES: dict[str, Any] = {
    "payment_reserved": ev.PaymentReserved,
    "payment_settled": ev.PaymentSettled,
    "payment_rejected": ev.PaymentRejected,
    "payment_failed": ev.PaymentFailed,
    "payment_cancelled": ev.PaymentCancelledOutcome,
    "payment_expired": ev.PaymentExpired,
}


def announce(
    out: Outbox, cause: Any, payment: Any, outcome: str, code: str, amount: int | None = None
) -> None:
    """Emit what became of a payment, keyed by its debtor; `amount` in the place of the payment's own."""
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{payment.debtor_account_id}",
        _OUTCOMES[outcome](
            *envelope(cause, outcome),
            cause.payment_id,
            payment.debtor_account_id,
            payment.creditor_account_id,
            payment.amount_minor if amount is None else amount,
            payment.currency,
            code,
        ),
    )
