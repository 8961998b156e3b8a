"""Links in the fraud stream: each payment is screened as if it came alone, and all are decided as one.

    payments_linked -> payments_link_decided to ledger-commands: the verdict on each payment
                       payment_screened to payment-events for each, with the outcome of the link
                       fraud_alert_raised for each that is not approved

The second payment finds the first in the debtor's profile. One that is declined declines all, one that is to
be reviewed holds all: they are booked together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.outputs import emit_alert, reasons_of
from pipeline.domain.fraud.profile import profile_key
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.screening import Screening
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.links import PAYMENTS_MAX
from pipeline.domain.kernel.outbox import Outbox, envelope


def link_keys(event: ev.PaymentsLinked) -> Iterable[bytes]:
    """Yield the keys of the debtor's profile and of the decisions on the payments."""
    yield profile_key(event.tenant_id, event.debtor_account_id)
    for payment in event.payments[:PAYMENTS_MAX]:
        yield decision_key(event.tenant_id, payment.payment_id)


def decide_link(screening: Screening, event: ev.PaymentsLinked, at_us: int, out: Outbox) -> None:
    """Screen all payments of a link, in their order, and emit what is decided.

    `at_us`: event time, microseconds UTC. `screening` is new, and is written.
    """
    screening.load(list(link_keys(event)))
    profile = profile_key(event.tenant_id, event.debtor_account_id)
    payments = [alone(event, payment) for payment in event.payments]
    found = [
        screening.decide(payment, at_us, decision_key(event.tenant_id, payment.payment_id), profile)
        for payment in payments
    ]
    screening.write()
    verdicts = [verdict for verdict, _ in found]
    emit_link_decided(event, verdicts, out)
    for index, (payment, (verdict, alerted)) in enumerate(zip(payments, found, strict=True)):
        if alerted:
            emit_alert(event, payment, verdict, out, f"fraud_alert_raised:{index}")


def alone(event: ev.PaymentsLinked, payment: ev.LinkedPayment) -> ev.PaymentInitiated:
    """Return a payment of a link as if it had come by itself."""
    return ev.PaymentInitiated(
        event.event_id,
        event.tenant_id,
        event.occurred_at,
        event.correlation_id,
        event.causation_id,
        payment.payment_id,
        event.debtor_account_id,
        payment.creditor_account_id,
        payment.amount_minor,
        payment.currency,
        payment.payment_type,
        payment.reference,
        payment.channel,
        payment.device_id,
        payment.counterparty_country,
        payment.merchant_category,
    )


def emit_link_decided(event: ev.PaymentsLinked, verdicts: Sequence[Verdict], out: Outbox) -> None:
    """Emit what is decided about the payments of a link, for the ledger and for the lifecycle stream."""
    key = f"{event.tenant_id}/{event.debtor_account_id}"
    decided = envelope(event, "payments_link_decided")
    payments = tuple(
        ev.DecidedPayment(
            payment.payment_id,
            payment.creditor_account_id,
            payment.amount_minor,
            payment.currency,
            payment.payment_type,
            payment.reference,
            payment.channel,
            payment.device_id,
            payment.counterparty_country,
            payment.merchant_category,
            verdict.outcome,
            verdict.score,
            reasons_of(verdict),
        )
        for payment, verdict in zip(event.payments, verdicts, strict=True)
    )
    out.emit(
        "ledger-commands",
        key,
        ev.PaymentsLinkDecided(
            *decided,
            event.link_id,
            event.debtor_account_id,
            payments,
            verdicts[0].version,
            event.open_account,
            event.actor,
            event.metadata,
            event.expected_sequence,
        ),
    )
    outcomes = {verdict.outcome for verdict in verdicts}
    outcome = next(one for one in ("DECLINE", "REVIEW", "APPROVE") if one in outcomes)
    for index, payment in enumerate(event.payments):
        out.emit(
            "payment-events",
            key,
            ev.PaymentScreened(
                *envelope(event, f"payment_screened:{index}"),
                payment.payment_id,
                event.debtor_account_id,
                payment.creditor_account_id,
                payment.amount_minor,
                payment.currency,
                outcome,
                decided[0],
                actor=event.actor,
                link_id=event.link_id,
            ),
        )
