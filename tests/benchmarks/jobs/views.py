"""The views job: reads of single balances from a worker that is keeping the ledger at the same time.

A few connections of one other process, while payments that are decided come in at a steady rate. All of them
must settle. At each rate of payments the first half reads at a steady rate, as people and programs that look
at balances do; in the other half each connection asks again as soon as it is answered, which is as much as
the worker can answer.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks import processes, product
from tests.benchmarks.bench import Bench
from tests.benchmarks.inputs import TENANT
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import PACED
from tests.benchmarks.paced import PacedJob, Phase

RATES = (1_000, 5_000, 10_000)
AT = 5_000
"""The rate of payments, a second, that the figures are for."""
WARM_UP = Phase(1_000, 5.0)
ACCOUNTS, CONNECTIONS = 20_000, 4
PATHS = 2_000
READS_PER_S = 200
MARGIN_S = 1.0
"""By how much reading ends before the payments do."""


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has accounts and payments of its own."""

    def ours(number: int) -> dict[str, Any]:
        name = f"views-{number}"
        phases = [WARM_UP, *(Phase(rate, bench.sizes.seconds + MARGIN_S) for rate in RATES)]
        job = PacedJob(name, ACCOUNTS, True, phases)
        with product.worker(bench, name) as worker:
            product.open_accounts(bench, job)
            start = bench.ends("payment-events")
            found = _read_under_load(bench, name, job)
            product.wait_until_settled(bench, start, sum(phase.payments for phase in phases))
            used = {"cpu_s": round(worker.cpu_s(), 2), "rss_mib": worker.rss_mib}
            return {**found[str(AT)], "loads": found, **used}

    return {"views": ours}


def _read(reads: processes.Process, seconds: float, rate: int) -> dict[str, Any]:
    reads.tell(f"{seconds} {rate}")
    return reads.wait_for(lambda line: "requests_per_s" in line)


def _full_speed(reads: processes.Process, seconds: float) -> dict[str, Any]:
    found = _read(reads, seconds, 0)
    return {"requests_per_s": found["requests_per_s"], "full_speed_p99_ms": found["p99_ms"]}


def _read_under_load(bench: Bench, name: str, job: PacedJob) -> dict[str, Any]:
    """Return requests a second and percentiles for each rate of payments."""
    paths = [f"/balances/{TENANT}/{job.account(place)}" for place in range(PATHS)]
    asked = {"url": product.base_url(bench), "paths": paths, "connections": CONNECTIONS}
    given = {"job": job, "topic": "ledger-commands", "settings": bench.overrides(name)}
    found = {}
    with (
        processes.Process(
            processes.module("tests.benchmarks.reads", asked), bench.log(f"{name}-reads")
        ) as reads,
        processes.Process(processes.module(PACED, given), bench.log(f"{name}-paced")) as load,
    ):
        reads.wait_for(lambda line: "ready" in line)
        load.wait_for(lambda line: "ready" in line)
        for phase in job.phases:
            load.tell("go")
            load.wait_for(lambda line: "phase" in line)
            half = (phase.seconds - MARGIN_S) / 2
            found[str(phase.per_s)] = _read(reads, half, READS_PER_S) | _full_speed(reads, half)
            load.wait_for(lambda line: "ended" in line)
        return found
