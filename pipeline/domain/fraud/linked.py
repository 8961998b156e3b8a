"""Links in the fraud stream: each payment is judged as if it came alone, and all are decided as one.

    payments_linked -> payments_link_decided to ledger-commands: the verdict on each payment
                       payment_screened to payment-events for each, with the outcome of the link
                       fraud_alert_raised for each that is not approved

The second payment finds the first in the debtor's states. One that is declined declines all, one that is to
be reviewed holds all: they are booked together or not at all.
"""

from __future__ import annotations

from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.judging import Run
from pipeline.domain.fraud.links import alone, emit_link_decided
from pipeline.domain.fraud.outputs import emit_alert
from pipeline.domain.fraud.run_results import Decided
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox


def judge_link(run: Run, event: ev.PaymentsLinked, at_us: int, out: Outbox) -> None:
    """Judge all payments of a link, in their order, and emit what is decided; `run` is new, and is closed.

    `at_us`: event time, microseconds UTC.
    """
    run.load([decision_key(event.tenant_id, payment.payment_id) for payment in event.payments])
    payments = [alone(event, payment) for payment in event.payments]
    names = [f"fraud_alert_raised:{index}" for index in range(len(payments))]
    for place, (payment, name) in enumerate(zip(payments, names, strict=True)):
        run.pay(place, payment, at_us, (event, name))
    found = [result for _, result in run.close()]
    decided = [result for result in found if isinstance(result, Decided)]
    emit_link_decided(event, [one.verdict for one in decided], out)
    for payment, name, one in zip(payments, names, decided, strict=True):
        if one.alert_id is not None:
            emit_alert(event, payment, one.verdict, out, name, one.alert_id)
