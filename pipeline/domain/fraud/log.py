"""The fraud stream: every payment gets a decision, in front of the ledger, by what is known of both sides.

    payment_initiated -> payment_decided to ledger-commands; fraud_alert_raised if not approved
                         payment_screened to payment-events, for the lifecycle stream
    payments_linked   -> decided as one (`linked`)
    payment_reviewed  -> forwarded to both; a label of the payment (`label_work`)
    payment_cancelled, _captured, _extended, _reversed -> forwarded to ledger-commands
    branch_ticked     -> forwarded to ledger-commands, unless it is ahead of its record
    payment_labelled  -> unlearned or learned again; payee_fraud_confirmed to the payee's partition
    posting_recorded  -> of a payment's debtor: funds_received to the receiver's partition
                         of a journal's credit: what the account received
    funds_received, payee_fraud_confirmed -> counted; payee_risk_changed to every partition when a card is due
    payee_risk_changed, account_opened, rate_quoted, fraud_rules_published and the like -> kept as rows

A repeated payment id is not judged or counted again. It gets its stored decision, with the content of the
repeat, so that the ledger can answer `exists` or what differs. It raises an alert only if it may be held
while there is none. A payment that the ledger surely refuses (no amount, to the debtor itself, an internal
account, no such currency, too old) is forwarded as approved and not stored: it says nothing about the debtor.

Quotas come before all that (`tenants.quotas`), and then payments that wait for their time (`scheduled`).

Event time is `occurred_at`, but never later than Kafka's timestamp: a clock that is ahead must not move the
windows beyond all other payments. An event sees what came before it on its partition, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import structs

from pipeline.domain.fraud.account_rows import account_key, open_account, quote, rates_key
from pipeline.domain.fraud.decisions import DECIDED, decision_key
from pipeline.domain.fraud.judging import Run
from pipeline.domain.fraud.linked import judge_link
from pipeline.domain.fraud.outputs import emit_alert, emit_decided
from pipeline.domain.fraud.own_commands import OWN, take_own
from pipeline.domain.fraud.publishing import publications
from pipeline.domain.fraud.publishing.publications import PUBLICATIONS, publish
from pipeline.domain.fraud.run_results import Decided
from pipeline.domain.fraud.said import own_command
from pipeline.domain.fraud.scheduled import (
    about_waiting,
    execution_time,
    is_ahead,
    known_here,
    refusal,
    refuse_payment,
    schedule,
    take_due,
)
from pipeline.domain.fraud.scheduled_rows import CLOCK_KEY, NEVER, Clock, read_clock, waiting_key, write_clock
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.ids import check_ids
from pipeline.domain.kernel.links import PAYMENTS_MAX, is_no_link
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.remittance import check_creditor_reference
from pipeline.domain.kernel.repeats import content_of, payment_code
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts import check_texts
from pipeline.domain.kernel.tolerance import check_tolerance
from pipeline.domain.tenants.quotas import bucket_key

PASSED_ON = (
    *(ev.PaymentReviewed, ev.PaymentCancelled, ev.PaymentCaptured),
    *(ev.PaymentExtended, ev.PaymentReversed),
)
"""Commands about a payment after its decision; the ledger applies them."""
UNTIMED = frozenset(
    {*OWN, *PUBLICATIONS, ev.PaymentLabelled, ev.PostingRecorded, ev.AccountOpened, ev.RateQuoted}
)
"""Events that say nothing of the time that commands have reached."""


class FraudLog:
    """The rules of the stream; holds no state of its own."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event of fraud-commands. Raises Reject for one that belongs in dead letters."""
        kind = type(event)
        if kind in UNTIMED:
            return self._untimed(event, at, rows, out)
        gate = self.terms.gate
        if kind is ev.PaymentInitiated:
            check_ids(event)
            check_texts(event)
            check_creditor_reference(event)
            check_tolerance(event)
            code = None
            if not gate.open:
                times = event.occurred_at, at.recorded_at
                code = gate.refusal(event.tenant_id, *times, at.partitions, rows)
            if code is not None:
                return refuse_payment(event, code, out)
            handle: Callable[..., None] = self._initiate
        elif kind is ev.PaymentsLinked:
            check_ids(event)
            check_texts(event)
            code = self._refusal_of_link(event, at, rows)
            if code is not None:
                debtor, link_id = event.debtor_account_id, event.link_id
                return refuse(out, event, "payments_linked", debtor, None, code, link_id=link_id)
            handle = self._link
        elif kind in PASSED_ON:
            check_ids(event)
            check_texts(event)
            handle = self._pass_on
        elif kind is ev.BranchTicked:
            if event.occurred_at > at.recorded_at:
                return  # a worker's clock is ahead: it tells no time
            handle = self._tick
        else:
            raise Reject("unexpected_event", kind.__name__)
        clock = read_clock(rows)
        before = clock.watermark, clock.earliest
        clock.watermark = max(clock.watermark, min(event.occurred_at, at.recorded_at))
        timed = None if kind is ev.BranchTicked else event
        self._take_due(timed, at.partition, clock, rows, out)
        handle(event, at, clock, rows, out)
        if before != (clock.watermark, clock.earliest):
            write_clock(rows, clock)

    def _untimed(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        kind = type(event)
        if kind is ev.AccountOpened:
            check_ids(event)
            check_texts(event)
            return open_account(event, rows)
        if kind is ev.RateQuoted:
            return quote(event, at.recorded_at, rows)
        if kind in PUBLICATIONS:
            return publish(event, rows)
        check_ids(event)
        if kind is ev.PaymentLabelled:
            check_texts(event)
        self._take(event, at, rows, out)

    def _take(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply an event that is no payment, and tell the other partitions what they have to know."""
        run = Run(self.terms, rows, at.partition, [event], ())
        take_own(run, 0, event, at.recorded_at)
        for _, result in run.close():
            out.emit(*own_command(event, result))

    def _tick(self, event: Any, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Let the ledger have the time, too."""
        out.forward("ledger-commands")

    def _take_due(self, event: Any, partition: int, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Execute what is due before an event; None: time has moved without one."""

        def execute(due: ev.PaymentInitiated) -> None:
            self._decide(due, due.occurred_at, partition, rows, out)

        take_due(event, clock, rows, self.terms.window_us, execute)

    def _initiate(
        self, event: ev.PaymentInitiated, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox
    ) -> None:
        terms, now, ids = self.terms, clock.watermark, (event.tenant_id, event.payment_id)
        known = None if clock.earliest == NEVER else known_here(rows, *ids, now, terms.window_us)
        if known is not None:
            answer = payment_code(content_of(known.command), content_of(event))
            return refuse_payment(event, answer, out, known.command.execute_at)
        if not is_ahead(event, now):
            time = execution_time(event)
            if time != event.occurred_at:
                event = structs.replace(event, occurred_at=time)
            return self._decide(event, min(time, at.recorded_at), at.partition, rows, out)
        at_us = min(event.occurred_at, at.recorded_at)
        if Run(terms, rows, at.partition, [event], [at_us]).is_repeat(0):  # the ledger says how it differs
            return self._decide(event, at_us, at.partition, rows, out)
        code = refusal(event, at.recorded_at, now, terms.window_us, terms.ahead_us, rows)
        if code is not None:
            return refuse_payment(event, code, out, event.execute_at)
        schedule(event, clock, rows, out)

    def _pass_on(self, event: Any, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply a command about a payment: to one that waits here, or by the ledger."""
        window_us, ids = self.terms.window_us, (event.tenant_id, event.payment_id)
        known = None if clock.earliest == NEVER else known_here(rows, *ids, clock.watermark, window_us)
        if known is not None and known.command.debtor_account_id == event.debtor_account_id:
            return about_waiting(known, event, clock, rows, window_us, out)
        kind = type(event)
        out.forward("ledger-commands")
        if kind is ev.PaymentReviewed:
            out.forward("payment-events")
        if kind in (ev.PaymentReviewed, ev.PaymentCancelled):
            self._take(event, at, rows, out)

    def keys(self, event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        kind = type(event)
        if kind in PUBLICATIONS:
            yield from publications.keys(event)
        if kind in (ev.PaymentInitiated, ev.PaymentsLinked, ev.BranchTicked) or kind in PASSED_ON:
            yield CLOCK_KEY
        if kind is ev.PaymentInitiated or kind in PASSED_ON:
            yield waiting_key(event.tenant_id, event.payment_id)
        if kind in (ev.PaymentInitiated, ev.PaymentsLinked) and not self.terms.gate.open:
            yield bucket_key(event.tenant_id)
        if kind is ev.PaymentsLinked:
            yield DECIDED.key(event.tenant_id)
            for payment in event.payments[:PAYMENTS_MAX]:
                yield decision_key(event.tenant_id, payment.payment_id)
        if kind in (ev.PaymentInitiated, ev.PaymentReviewed, ev.PaymentLabelled):
            yield DECIDED.key(event.tenant_id)
            yield decision_key(event.tenant_id, event.payment_id)
        if kind is ev.PaymentInitiated:
            yield account_key(event.tenant_id, event.debtor_account_id)
            yield rates_key(event.tenant_id, event.currency)

    def _decide(
        self, event: ev.PaymentInitiated, at_us: int, partition: int, rows: PrefetchingRows, out: Outbox
    ) -> None:
        run = Run(self.terms, rows, partition, [event], [at_us])
        run.pay(0)
        for _, result in run.close():
            if not isinstance(result, Decided):
                out.emit(*own_command(event, result))
                continue
            emit_decided(event, result.verdict, out)
            if result.alert_id is not None:
                emit_alert(event, event, result.verdict, out, alert_id=result.alert_id)

    def _refusal_of_link(self, event: ev.PaymentsLinked, at: Arrival, rows: PrefetchingRows) -> str | None:
        """Return why linked payments are answered at once: no link, or more than their tenant's quota."""
        gate = self.terms.gate
        if is_no_link(event.payments):
            return "invalid_link"
        if gate.open:
            return None
        times = event.occurred_at, at.recorded_at
        return gate.refusal(event.tenant_id, *times, at.partitions, rows, len(event.payments))

    def _link(
        self, event: ev.PaymentsLinked, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox
    ) -> None:
        for payment in () if clock.earliest == NEVER else event.payments:
            ids = event.tenant_id, payment.payment_id
            known = known_here(rows, *ids, clock.watermark, self.terms.window_us)
            if known is not None:  # it waits, or was cancelled while it did
                names = event.debtor_account_id, payment.payment_id, "exists_with_different_link"
                time = known.command.execute_at
                return refuse(out, event, "payments_linked", *names, link_id=event.link_id, execute_at=time)
        judge_link(self.terms, rows, at.partition, event, min(event.occurred_at, at.recorded_at), out)
