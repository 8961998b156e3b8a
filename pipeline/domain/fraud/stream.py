"""The fraud stream: every payment gets a decision, in front of the ledger.

    payment_initiated -> payment_decided to ledger-commands; fraud_alert_raised if not approved
                         payment_screened to payment-events, for the lifecycle stream
    payments_linked   -> decided as one (`links`)
    payment_reviewed  -> forwarded to both; an approved payment is added to the debtor's habits, unless a
                         second person may have to approve it, too
    payment_cancelled, _captured, _extended, _reversed -> forwarded to ledger-commands
    branch_ticked     -> forwarded to ledger-commands, unless it is ahead of its record

Three rows: the debtor's profile, the decision by payment id, and the alert (`alerts`).

A repeated payment id is not scored or counted again. It gets its stored decision, with the content of the
repeat, so that the ledger can answer `exists` or what differs. It raises an alert only if it may be held
while there is none.

A payment that the ledger surely refuses (no amount, to the debtor itself, an internal account, too old) is
forwarded as approved and not stored: it says nothing about the debtor, and its id remains free for a real
payment.

Quotas come before all that (`tenants.quotas`): a payment above its tenant's quota, or of a closed tenant, is
answered with command_refused on payment-events; only the tenant's quota row changes. It may be sent again
with the same id.

A payment with `execute_at` waits for its time in front of all that, but behind its quota (`scheduled`).

Event time is `occurred_at`, but never later than Kafka's timestamp: a clock that is ahead must not move the
windows beyond all other payments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import structs

from pipeline.domain.fraud.decisions import DECIDED, Decision, decision_key
from pipeline.domain.fraud.links import decide_link, link_keys
from pipeline.domain.fraud.outputs import emit_alert, emit_decided
from pipeline.domain.fraud.profile import Attempt, Profile, id64, profile_key
from pipeline.domain.fraud.rules import is_near_threshold, is_probe
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
from pipeline.domain.fraud.score import RuleScorer, Scorer, Verdict
from pipeline.domain.fraud.screening import Screening
from pipeline.domain.fraud.settings import FraudRules
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.events import (
    BranchTicked,
    PaymentCancelled,
    PaymentCaptured,
    PaymentExtended,
    PaymentInitiated,
    PaymentReversed,
    PaymentReviewed,
    PaymentsLinked,
)
from pipeline.domain.kernel.ids import check_ids
from pipeline.domain.kernel.links import is_no_link
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.remittance import check_creditor_reference
from pipeline.domain.kernel.repeats import content_of, payment_code
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts import check_texts
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from pipeline.domain.kernel.tolerance import check_tolerance
from pipeline.domain.tenants.quotas import Gate, bucket_key

WINDOWS = Windows()
CLOCKS_DIFFER_US = 3_600 * MICROSECONDS_PER_SECOND
AHEAD_US = 300 * MICROSECONDS_PER_SECOND
"""How far a command may be ahead of its record, as the ledger has it where nothing else is set."""
PASSED_ON = (PaymentReviewed, PaymentCancelled, PaymentCaptured, PaymentExtended, PaymentReversed)
"""Commands about a payment after its decision; the ledger applies them."""


class FraudStream:
    """The rules of the stream; holds no state of its own."""

    def __init__(
        self,
        rules: FraudRules | None = None,
        scorer: Scorer | None = None,
        gate: Gate | None = None,
        windows: Windows = WINDOWS,
        ahead_us: int | None = AHEAD_US,
    ) -> None:
        """`ahead_us`: how far a payment that waits may be ahead of its record; None: as far as it is."""
        self._rules = rules or FraudRules()
        self._scorer: Scorer = scorer or RuleScorer(self._rules)
        self.gate = gate or Gate()
        self.unscored = Verdict("APPROVE", 0, (), self._scorer.version)
        """The verdict on payments that the ledger surely refuses."""
        self.kept_us = self._rules.decisions_kept_days * MICROSECONDS_PER_DAY
        """How long a decision is known."""
        self.window_us, self._ahead_us = windows.duplicates_days * MICROSECONDS_PER_DAY, ahead_us
        """How long ids are known."""
        self.too_old_us = windows.duplicates_days * MICROSECONDS_PER_DAY + CLOCKS_DIFFER_US
        """How much older than the partition's time a payment surely is too old for the ledger."""
        self.alerts_kept_us = windows.both_days * MICROSECONDS_PER_DAY

    def apply(self, event: Any, at: Arrival, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply one event of fraud-commands. Raises Reject for one that belongs in dead letters."""
        kind = type(event)
        if kind is PaymentInitiated:
            check_ids(event)
            check_texts(event)
            check_creditor_reference(event)
            check_tolerance(event)
            code = None
            if not self.gate.open:
                times = event.occurred_at, at.recorded_at
                code = self.gate.refusal(event.tenant_id, *times, at.partitions, rows)
            if code is not None:
                return refuse_payment(event, code, out)
            handle: Callable[..., None] = self._initiate
        elif kind is PaymentsLinked:
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
        elif kind is BranchTicked:
            if event.occurred_at > at.recorded_at:
                return  # a worker's clock is ahead: it tells no time
            handle = self._tick
        else:
            raise Reject("unexpected_event", kind.__name__)
        clock = read_clock(rows)
        before = clock.watermark, clock.earliest
        clock.watermark = max(clock.watermark, min(event.occurred_at, at.recorded_at))
        self._take_due(None if kind is BranchTicked else event, clock, rows, out)
        handle(event, at, clock, rows, out)
        if before != (clock.watermark, clock.earliest):
            write_clock(rows, clock)

    def _tick(self, event: Any, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Let the ledger have the time, too."""
        out.forward("ledger-commands")

    def _take_due(self, event: Any, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Execute what is due before an event; None: time has moved without one."""

        def execute(due: PaymentInitiated) -> None:
            self._decide(due, due.occurred_at, rows, out)

        take_due(event, clock, rows, self.window_us, execute)

    def _initiate(
        self, event: PaymentInitiated, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox
    ) -> None:
        now, ids = clock.watermark, (event.tenant_id, event.payment_id)
        known = None if clock.earliest == NEVER else known_here(rows, *ids, now, self.window_us)
        if known is not None:
            answer = payment_code(content_of(known.command), content_of(event))
            return refuse_payment(event, answer, out, known.command.execute_at)
        if not is_ahead(event, now):
            time = execution_time(event)
            if time != event.occurred_at:
                event = structs.replace(event, occurred_at=time)
            return self._decide(event, min(time, at.recorded_at), rows, out)
        screening, key = Screening(self, rows), decision_key(*ids)
        screening.load((key,))
        if screening.knows(event.tenant_id, key):  # the ledger says in what it differs
            return self._decide(event, min(event.occurred_at, at.recorded_at), rows, out)
        code = refusal(event, at.recorded_at, now, self.window_us, self._ahead_us, rows)
        if code is not None:
            return refuse_payment(event, code, out, event.execute_at)
        schedule(event, clock, rows, out)

    def _pass_on(self, event: Any, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox) -> None:
        """Apply a command about a payment: to one that waits here, or by the ledger."""
        ids = event.tenant_id, event.payment_id
        known = None if clock.earliest == NEVER else known_here(rows, *ids, clock.watermark, self.window_us)
        if known is not None and known.command.debtor_account_id == event.debtor_account_id:
            return about_waiting(known, event, clock, rows, self.window_us, out)
        kind = type(event)
        if kind is PaymentReviewed and event.approved:
            self._learn(event, rows)
        out.forward("ledger-commands")
        if kind is PaymentReviewed:
            out.forward("payment-events")

    def keys(self, event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` reads."""
        kind = type(event)
        if kind in (PaymentInitiated, PaymentsLinked, BranchTicked) or kind in PASSED_ON:
            yield CLOCK_KEY
        if kind is PaymentInitiated or kind in PASSED_ON:
            yield waiting_key(event.tenant_id, event.payment_id)
        if kind in (PaymentInitiated, PaymentsLinked) and not self.gate.open:
            yield bucket_key(event.tenant_id)
        if kind is PaymentsLinked:
            yield DECIDED.key(event.tenant_id)
            yield from link_keys(event)
        if kind is PaymentInitiated or (kind is PaymentReviewed and event.approved):
            yield DECIDED.key(event.tenant_id)
            yield decision_key(event.tenant_id, event.payment_id)
            yield profile_key(event.tenant_id, event.debtor_account_id)

    def _decide(self, event: PaymentInitiated, at_us: int, rows: PrefetchingRows, out: Outbox) -> None:
        keys = (
            decision_key(event.tenant_id, event.payment_id),
            profile_key(event.tenant_id, event.debtor_account_id),
        )
        screening = Screening(self, rows)
        screening.load(keys)
        verdict, alerted = screening.decide(event, at_us, *keys)
        screening.write()
        emit_decided(event, verdict, out)
        if alerted:
            emit_alert(event, event, verdict, out)

    def _refusal_of_link(self, event: PaymentsLinked, at: Arrival, rows: PrefetchingRows) -> str | None:
        """Return why linked payments are answered at once: no link, or more than their tenant's quota."""
        if is_no_link(event.payments):
            return "invalid_link"
        if self.gate.open:
            return None
        times = event.occurred_at, at.recorded_at
        return self.gate.refusal(event.tenant_id, *times, at.partitions, rows, len(event.payments))

    def _link(
        self, event: PaymentsLinked, at: Arrival, clock: Clock, rows: PrefetchingRows, out: Outbox
    ) -> None:
        for payment in () if clock.earliest == NEVER else event.payments:
            ids = event.tenant_id, payment.payment_id
            known = known_here(rows, *ids, clock.watermark, self.window_us)
            if known is not None:  # it waits, or was cancelled while it did
                names = event.debtor_account_id, payment.payment_id, "exists_with_different_link"
                time = known.command.execute_at
                return refuse(out, event, "payments_linked", *names, link_id=event.link_id, execute_at=time)
        decide_link(Screening(self, rows), event, min(event.occurred_at, at.recorded_at), out)

    def _learn(self, event: PaymentReviewed, rows: PrefetchingRows) -> None:
        keys = (
            decision_key(event.tenant_id, event.payment_id),
            profile_key(event.tenant_id, event.debtor_account_id),
        )
        screening = Screening(self, rows)
        screening.load(keys)
        screening.learn(event, *keys)
        screening.write()

    def judge(self, profile: Profile, attempt: Attempt) -> tuple[Verdict, Attempt | None]:
        """Score a payment and count it in the profile.

        Returns the verdict, and the payment itself if it is held for a review.
        """
        profile.roll(attempt.at_s)
        verdict = self._scorer.score(profile, attempt)
        late = profile.is_too_late(attempt.at_s)
        profile.add(
            attempt,
            near_threshold=is_near_threshold(attempt.amount_minor, self._rules),
            probe=is_probe(attempt.amount_minor, self._rules),
        )
        if verdict.outcome == "APPROVE" and not late:
            profile.learn(attempt)
        return verdict, attempt if verdict.outcome == "REVIEW" and not late else None

    def repeat(self, earlier: Decision, content: str) -> Verdict:
        """Return the verdict on a repeated payment id; `content` as `content_of` returns it.

        The ledger refuses other content under an id that it knows. It may not know the id (the first payment
        was `too_old` there). Then the approval of the first content must not approve the second one, which is
        held for review.
        """
        verdict = earlier.verdict
        if verdict.outcome != "APPROVE" or earlier.content == id64(content):
            return verdict
        reason = ("payment_id_reused", f"this id came before with other content, scored {verdict.score}")
        score = max(verdict.score, self._rules.review_score_min)
        return Verdict("REVIEW", score, (*verdict.reasons, reason), verdict.version)


_default = FraudStream()
apply = _default.apply
keys = _default.keys
