"""The fraud-latency job: how long a payment waits for its decision at 5,000 a second, with a live model.

fraud-commands -> the fraud stream, alone in a worker -> ledger-commands. A payment is answered by its
payment_decided, read committed, which must name the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from pipeline.domain.kernel import events as ev
from tests.benchmarks import latency, live_model, processes
from tests.benchmarks.bench import Bench
from tests.benchmarks.inputs import now_us
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import Answers
from tests.benchmarks.paced import PacedJob, Phase

SOURCE, ANSWERS = "fraud-commands", "ledger-commands"
RATES = (1_000, 5_000)
WARM_UP_PER_S = 2_000
ACCOUNTS = 40_000
"""So many that nobody pays more than twice or so within seconds."""
HOUR_US = 3_600 * 1_000_000


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has payments of its own."""

    def ours(number: int) -> dict[str, Any]:
        name = f"fraud-latency-{number}"
        bench.create_changelogs(name, "fraud")
        start = bench.ends(SOURCE, ANSWERS)
        bench.start_at(name, {SOURCE: start[SOURCE]})
        bench.produce(SOURCE, live_model.published(now_us() - HOUR_US))
        with processes.Process(bench.worker("fraud", name, None), bench.log(name)) as worker:
            worker.wait_for(lambda line: len(line.get("holds", ())) == bench.settings.partitions)
            answers, job = Answers(bench, ANSWERS, start), job_of(bench, name)
            rates = latency.measure(bench, worker, SOURCE, job, answers, answered, quiet_s=latency.STALLED_S)
            return {"rates": rates, "rss_mib": worker.rss_mib}

    return {"fraud_latency": ours}


def job_of(bench: Bench, seed: str) -> PacedJob:
    """Return the payments of a run."""
    phases = [Phase(rate, bench.sizes.seconds) for rate in (WARM_UP_PER_S, *RATES)]
    return PacedJob(seed, ACCOUNTS, False, phases)


def answered(job: PacedJob, outputs: Iterator[tuple[float, Any]]) -> list[float]:
    """Return when each payment was decided by rules and model; infinity where it was not."""
    decided = {
        event.payment_id: at
        for at, event in outputs
        if isinstance(event, ev.PaymentDecided) and live_model.model_name() in event.rules_version
    }
    count = sum(phase.payments for phase in job.phases)
    return [decided.get(job.payment_id(number), inf) for number in range(count)]
