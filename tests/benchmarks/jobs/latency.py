"""The latency job: the sum job at 1,000, 5,000 and 20,000 payments a second, due -> read committed.

A payment is answered by the first balance_updated of its debtor whose sum includes it: ours says the last sum
per account and transaction, Kafka Streams every one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from math import inf
from typing import Any

from tests.benchmarks import latency, processes
from tests.benchmarks.bench import TUNINGS, Bench, Tuning
from tests.benchmarks.exactness import Offsets
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import Answers
from tests.benchmarks.paced import PacedJob, Phase

SOURCE = "benchmark-latency"
RATES = (1_000, 5_000, 20_000)
WARM_UP_PER_S = 5_000
ACCOUNTS = 10_000


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has payments of its own."""
    bench.create_topic(SOURCE)

    def measured(name: str, start: Offsets, worker: processes.Process) -> dict[str, Any]:
        answers = Answers(bench, "balances", start)
        rates = latency.measure(bench, worker, SOURCE, job_of(bench, name), answers, answered)
        return {"rates": rates, "rss_mib": worker.rss_mib}

    def ours(number: int) -> dict[str, Any]:
        name = f"latency-{number}"
        bench.create_changelogs(name, "sum")
        start = bench.ends(SOURCE, "balances")
        bench.start_at(name, {SOURCE: start[SOURCE]})
        with processes.Process(bench.worker("sum", name, None, source=SOURCE), bench.log(name)) as worker:
            worker.wait_for(lambda line: len(line.get("holds", ())) == bench.settings.partitions)
            return measured(name, start, worker)

    def kafka_streams(tuning: Tuning, number: int) -> dict[str, Any]:
        name = f"latency-{tuning.name}-{number}"
        start = bench.ends(SOURCE, "balances")
        bench.start_at(name, {SOURCE: start[SOURCE]})
        with bench.start_kafka_streams("sum", name, SOURCE, tuning) as worker:
            return measured(name, start, worker)

    peers: dict[str, Run] = {}
    if bench.peers.kafka_streams:
        peers = {f"latency_{tuning.name}": partial(kafka_streams, tuning) for tuning in TUNINGS}
    return {**peers, "latency": ours}


def job_of(bench: Bench, seed: str) -> PacedJob:
    """Return the payments of a run."""
    phases = [Phase(rate, bench.sizes.seconds) for rate in (WARM_UP_PER_S, *RATES)]
    return PacedJob(seed, ACCOUNTS, False, phases)


def answered(job: PacedJob, outputs: Iterator[tuple[float, Any]]) -> list[float]:
    """Return when each payment was first included in a sum that was said."""
    waiting: dict[str, deque[tuple[int, int]]] = {}
    sums: dict[int, int] = {}
    count = 0
    for count, (debtor, _, amount) in enumerate(job.payments(), 1):
        sums[debtor] = sums.get(debtor, 0) + amount
        waiting.setdefault(job.account(debtor), deque()).append((sums[debtor], count - 1))
    found = [inf] * count
    for at, event in outputs:
        of_account = waiting.get(event.account_id, ())
        while of_account and of_account[0][0] <= event.debits_posted:
            found[of_account.popleft()[1]] = at
    return found
