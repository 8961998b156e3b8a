"""What the fraud stream says of payments: its decisions, their reasons and its alerts."""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import (
    FraudAlertRaised,
    FraudReason,
    PaymentDecided,
    PaymentInitiated,
    PaymentScreened,
)
from pipeline.domain.kernel.outbox import Outbox, envelope


def emit_decided(event: PaymentInitiated, verdict: Verdict, out: Outbox) -> None:
    """Emit the decision on a payment for the ledger, and what was decided for the lifecycle stream."""
    key = f"{event.tenant_id}/{event.debtor_account_id}"
    decided = envelope(event, "payment_decided")
    out.emit(
        "ledger-commands",
        key,
        PaymentDecided(
            *decided,
            event.payment_id,
            event.debtor_account_id,
            event.creditor_account_id,
            event.amount_minor,
            event.currency,
            event.payment_type,
            event.reference,
            event.channel,
            event.device_id,
            event.counterparty_country,
            event.merchant_category,
            verdict.outcome,
            verdict.score,
            reasons_of(verdict),
            verdict.version,
            event.hold_expires_at,
            event.actor,
            event.metadata,
            event.expected_sequence,
            event.hold,
            event.balancing,
            event.creditor_currency,
            event.rate_e8,
            event.capture_tolerance_bp,
            event.execute_at,
        ),
    )
    out.emit(
        "payment-events",
        key,
        PaymentScreened(
            *envelope(event, "payment_screened"),
            event.payment_id,
            event.debtor_account_id,
            event.creditor_account_id,
            event.amount_minor,
            event.currency,
            verdict.outcome,
            decided[0],
            event.hold_expires_at,
            event.actor,
            event.hold,
        ),
    )


def emit_alert(
    cause: Any,
    payment: PaymentInitiated,
    verdict: Verdict,
    out: Outbox,
    name: str = "fraud_alert_raised",
    alert_id: str | None = None,
) -> None:
    """Emit the alert on a payment; `alert_id`: of the alert that it belongs to, None: one of its own.

    `cause`: the payment, or the link that it is a part of; there each alert has a `name` of its own.
    """
    raised = envelope(cause, name)
    out.emit(
        "fraud-alerts",
        f"{payment.tenant_id}/{payment.debtor_account_id}",
        FraudAlertRaised(
            *raised,
            alert_id or raised[0],
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
