"""Links in the fraud stream: each payment is judged as if it came alone, and all are decided as one.

    payments_linked -> payments_link_decided to ledger-commands: the verdict on each payment
                       payment_screened to payment-events for each, with the outcome of the link
                       fraud_alert_raised for each that is not approved

The second payment finds the first in the debtor's states. One that is declined declines all, one that is to
be reviewed holds all: they are booked together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.fraud.judging import Run
from pipeline.domain.fraud.outputs import emit_alert, reasons_of
from pipeline.domain.fraud.run_results import Decided
from pipeline.domain.fraud.said import own_command
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox, envelope
from pipeline.domain.kernel.rows import PrefetchingRows


def judge_link(
    terms: Terms, rows: PrefetchingRows, partition: int, event: ev.PaymentsLinked, at_us: int, out: Outbox
) -> None:
    """Judge all payments of a link, in their order, and emit what is decided.

    `at_us`: event time, microseconds UTC.
    """
    payments = [alone(event, payment) for payment in event.payments]
    run = Run(terms, rows, partition, payments, [at_us] * len(payments))
    names = [f"fraud_alert_raised:{index}" for index in range(len(payments))]
    for place, name in enumerate(names):
        run.pay(place, (event, name))
    found = [result for _, result in run.close()]
    decided = [result for result in found if isinstance(result, Decided)]
    emit_link_decided(event, [one.verdict for one in decided], out)
    for payment, name, one in zip(payments, names, decided, strict=True):
        if one.alert_id is not None:
            emit_alert(event, payment, one.verdict, out, name, one.alert_id)
    for result in found:
        if not isinstance(result, Decided):
            out.emit(*own_command(event, result))


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
        *_said_of(payment),
    )


def _said_of(
    payment: ev.LinkedPayment,
) -> tuple[str, int, str, str, str, str | None, str | None, str | None, str | None]:
    """Return what a linked payment says of itself, as a payment and as a decided one have it."""
    return (
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
            *_said_of(payment),
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
