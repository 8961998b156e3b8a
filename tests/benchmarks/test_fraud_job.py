"""The outcomes that the fraud job expects are those of the stream, here without a broker."""

from __future__ import annotations

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from tests.benchmarks.jobs.fraud import BURST, CASES, FraudInput


def test_the_stream_decides_as_the_job_expects() -> None:
    job, stream, rows, out = FraudInput("test", 200), FraudLog(Terms()), MemoryRows(), Outbox()
    for number, (_, event) in enumerate(job.events()):
        stream.apply(event, Arrival(event.occurred_at, 0, 1, number), rows, out)
    said = [event for _, _, event in out.items]
    decided = {event.payment_id: event.outcome for event in said if isinstance(event, ev.PaymentDecided)}
    assert decided == job.outcomes and len(decided) == 200
    # What is reviewed goes on to the ledger as it came.
    as_it_came = [topic for topic, _, event in out.items if event is None]
    assert job.reviews == as_it_came.count("ledger-commands") == 1
    held = sorted(one for one, outcome in job.outcomes.items() if outcome != "APPROVE")
    assert sorted(event.payment_id for event in said if isinstance(event, ev.FraudAlertRaised)) == held
    refused = sum(outcome == "DECLINE" for outcome in decided.values())
    assert (refused, len(held)) == (1, 5 + BURST.count("REVIEW")) and len(CASES) == 3
