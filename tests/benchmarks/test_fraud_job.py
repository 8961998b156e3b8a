"""The outcomes that the fraud job expects are those of the stream, here without a broker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from math import inf
from typing import Any

import pytest

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from tests.benchmarks import live_model
from tests.benchmarks.jobs import fraud_freshness, fraud_latency
from tests.benchmarks.jobs.fraud import BURST, CASES, FraudInput
from tests.benchmarks.jobs.fraud_freshness import KNOWN_BY, PROBE, RECEIPT
from tests.benchmarks.paced import PacedJob, Phase
from tests.fraud.log_traffic import debit, labelled
from tests.fraud_publishing.publishing import published
from tests.fraud_rules.sets import rule_set

AT_US = 1_790_000_000_000_000


def applied(events: Iterable[Any]) -> list[tuple[str, str, Any]]:
    """Return what a stream of one partition says to a log, and to what it says to that log itself."""
    stream, rows, said = FraudLog(Terms()), MemoryRows(), []
    for number, event in enumerate(events):
        own = deque([event])
        while own:
            out, one = Outbox(), own.popleft()
            stream.apply(one, Arrival(one.occurred_at, 0, 1, number), rows, out)
            said += out.items
            own.extend(event for topic, _, event in out.items if topic == "fraud-commands")
    return said


@pytest.mark.parametrize("whole", [False, True])
def test_the_stream_decides_as_the_job_expects(whole: bool) -> None:
    job = FraudInput("test", 200, whole)
    said = applied(event for _, event in job.events())
    events = [event for _, _, event in said]
    decided = {event.payment_id: event for event in events if isinstance(event, ev.PaymentDecided)}
    assert {name: one.outcome for name, one in decided.items()} == job.outcomes and len(decided) == 200
    # What is reviewed goes on to the ledger as it came.
    as_it_came = [topic for topic, _, event in said if event is None]
    assert job.reviews == as_it_came.count("ledger-commands") == 1
    held = sorted(one for one, outcome in job.outcomes.items() if outcome != "APPROVE")
    assert sorted(event.payment_id for event in events if isinstance(event, ev.FraudAlertRaised)) == held
    refused = sum(one.outcome == "DECLINE" for one in decided.values())
    assert (refused, len(held)) == (1, 5 + BURST.count("REVIEW")) and len(CASES) == 3
    by_model = sum(live_model.model_name() in one.rules_version for one in decided.values())
    assert by_model == (200 if whole else 0)


def test_what_the_stream_tells_itself_is_known_beforehand() -> None:
    job = FraudInput("test", 400, whole=True)
    said = applied(event for _, event in job.events())
    told = Counter(type(event).__name__ for topic, _, event in said if topic == "fraud-commands")
    assert told == {"FundsReceived": job.booked, "PayeeRiskChanged": len(job.payees)}
    assert job.booked > 300 and job.caused(4) == job.booked + 4 * len(job.payees)
    assert not FraudInput("test", 400).caused(4)


def test_a_probe_is_decided_by_the_card_of_its_payee_once_that_is_known() -> None:
    def pay(number: int, channel: str) -> ev.PaymentInitiated:
        head = (f"e{number}", "bench", AT_US + number, f"e{number}", None)
        fields = (f"p{number}", f"debtor-{number}", "payee", 10_00, "EUR", "transfer", "reference", channel)
        return ev.PaymentInitiated(*head, *fields)

    first = pay(0, "transfer")
    rules = published(rule_set(*fraud_freshness.RULES, set_id=PROBE))
    label = labelled(first, "FRAUD", AT_US + 3)
    said = applied([rules, first, pay(1, PROBE), debit(first, AT_US), pay(2, PROBE), label, pay(4, PROBE)])
    decided = [event for _, _, event in said if isinstance(event, ev.PaymentDecided)]
    known = [{one.rule for one in event.reasons} & set(KNOWN_BY.values()) for event in decided]
    assert known == [set(), set(), {KNOWN_BY[RECEIPT]}, set(KNOWN_BY.values())]
    assert [event.outcome for event in decided] == ["APPROVE", *["REVIEW"] * 3]


def test_a_payment_that_the_model_did_not_score_is_not_answered() -> None:
    job = PacedJob("s", 2, False, [Phase(1_000, 0.003)])
    payments, model = ([event for _, event in of] for of in (job.events(), live_model.published(0)))
    by_rules, by_both = (
        [event for _, _, event in applied(events) if isinstance(event, ev.PaymentDecided)]
        for events in (payments, model + payments)
    )
    outputs = [(1.0, by_rules[0]), (2.0, by_both[1]), (3.0, by_both[2])]
    assert fraud_latency.answered(job, iter(outputs)) == [inf, 2.0, 3.0]
