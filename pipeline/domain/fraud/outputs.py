"""What the fraud stream says of payments: its reasons and its alerts."""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import (
    FraudAlertRaised,
    FraudReason,
    PaymentInitiated,
)
from pipeline.domain.kernel.outbox import Outbox, envelope


def emit_alert(
    cause: Any, payment: PaymentInitiated, verdict: Verdict, out: Outbox, name: str = "fraud_alert_raised"
) -> None:
    """Emit the alert on a payment.

    `cause`: the payment, or the link that it is a part of; there each alert has a `name` of its own.
    """
    raised = envelope(cause, name)
    out.emit(
        "fraud-alerts",
        f"{payment.tenant_id}/{payment.debtor_account_id}",
        FraudAlertRaised(
            *raised,
            raised[0],
            payment.payment_id,
            payment.debtor_account_id,
            verdict.outcome,
            verdict.score,
            reasons_of(verdict),
            verdict.version,
        ),
    )


def reasons_of(verdict: Verdict) -> tuple[FraudReason, ...]:
    """Return the reasons of a verdict as events have them."""
    return tuple([FraudReason(rule, detail) for rule, detail in verdict.reasons])
