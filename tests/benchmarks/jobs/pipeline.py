"""The pipeline job: a payment initiated -> settled, through the whole product in one worker.

payments -> fraud -> ledger-commands -> ledger, for three of four payments by a leg to another partition and
back -> payment-events. A payment is answered by its payment_settled, read committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from pipeline.domain.kernel import events as ev
from tests.benchmarks import latency, product
from tests.benchmarks.bench import Bench
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import Answers
from tests.benchmarks.paced import PacedJob, Phase

RATES = (200, 1_000)
WARM_UP_PER_S = 500
ACCOUNTS = 20_000
"""So many that nobody pays often enough to be held by the fraud rules."""


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has accounts and payments of its own."""

    def ours(number: int) -> dict[str, Any]:
        name = f"pipeline-{number}"
        phases = [Phase(rate, bench.sizes.seconds) for rate in (WARM_UP_PER_S, *RATES)]
        job = PacedJob(name, ACCOUNTS, False, phases)
        with product.worker(bench, name) as worker:
            product.open_accounts(bench, job)
            answers = Answers(bench, "payment-events", bench.ends("payment-events"))
            rates = latency.measure(bench, worker, "payments", job, answers, answered)
            return {"rates": rates, "rss_mib": worker.rss_mib}

    return {"pipeline": ours}


def answered(job: PacedJob, outputs: Iterator[tuple[float, Any]]) -> list[float]:
    """Return when each payment was settled."""
    settled = {event.payment_id: at for at, event in outputs if isinstance(event, ev.PaymentSettled)}
    count = sum(phase.payments for phase in job.phases)
    return [settled.get(job.payment_id(number), inf) for number in range(count)]
