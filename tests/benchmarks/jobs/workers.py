"""Two workers against one: the sum job and the ledger job, the same input, the same partitions.

The input is written in one transaction, which is committed only when every worker holds its share of the
partitions: nobody has a start over the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.inputs import Gate
from tests.benchmarks.jobs import ledger, sums
from tests.benchmarks.jobs.shape import Run

SUM_SOURCE = "benchmark-workers"
WORKERS_MAX = 2
POLL_S = 0.05


def contenders(bench: Bench) -> dict[str, Run]:
    """Return the two jobs; each runs with one worker, then with two, every time on input of its own."""
    bench.create_topic(SUM_SOURCE)

    def compared(job: Any, number: int) -> dict[str, Any]:
        in_turn = (1, WORKERS_MAX) if number % 2 == 0 else (WORKERS_MAX, 1)
        found = {workers: job(bench, workers, number) for workers in in_turn}
        one, two = found[1], found[WORKERS_MAX]
        return {"one": one, "two": two, "ratio": round(two["per_s"] / one["per_s"], 2)}

    return {"workers_sum": partial(compared, _sum), "workers_ledger": partial(compared, _ledger)}


def _sum(bench: Bench, workers: int, number: int) -> dict[str, Any]:
    app_id, events = f"workers-sum-{workers}-{number}", bench.sizes.events
    given = sums.SumInput([[] for _ in range(bench.settings.partitions)])
    start = bench.ends(SUM_SOURCE, "balances")
    bench.start_at(app_id, {SUM_SOURCE: start[SUM_SOURCE]})
    gate = Gate(bench.settings, SUM_SOURCE, app_id)
    gate.fill(bench.codec, sums.sum_events(events, bench.settings.partitions, given))
    found = _run(bench, "sum", app_id, workers, gate, events, source=SUM_SOURCE)
    sums.check_balances(bench, start, given.sums())
    return {**found, "per_s": round(events / found["seconds"]), "per_cpu_s": round(events / found["cpu_s"])}


def _ledger(bench: Bench, workers: int, number: int) -> dict[str, Any]:
    app_id, payments = f"workers-ledger-{workers}-{number}", bench.sizes.payments
    start = bench.ends(ledger.SOURCE, "postings", "payment-events")
    bench.start_at(app_id, {ledger.SOURCE: start[ledger.SOURCE]})
    job = ledger.LedgerInput(app_id, payments, bench.settings.partitions)
    ledger.open_accounts(bench, app_id, job)
    gate = Gate(bench.settings, ledger.SOURCE, app_id)
    gate.fill(bench.codec, job.decisions())
    found = _run(bench, "ledger", app_id, workers, gate, job.commands)
    ledger.check(bench, start, job)
    return {
        **found,
        "per_s": round(payments / found["seconds"]),
        "per_cpu_s": round(payments / found["cpu_s"]),
    }


def _run(
    bench: Bench, job: str, app_id: str, workers: int, gate: Gate, records: int, **more: Any
) -> dict[str, Any]:
    """Start the workers, open the gate, wait until all `records` are committed by whichever of them."""
    bench.create_changelogs(app_id, job)
    share = bench.settings.partitions // workers
    with ExitStack() as stack:
        running = []
        for worker in range(workers):
            command = bench.worker(job, app_id, None, worker=worker, **more)
            process = processes.Process(command, bench.log(f"{app_id}-{worker}"))
            running.append(stack.enter_context(process))
        _wait_for_shares(running, share)
        gate.open()
        said = list(_until_applied(running, records))
        seconds = max(one["ended_at"] for one in said) - min(one["started_at"] for one in said)
        return {
            "seconds": round(seconds, 3),
            "cpu_s": round(sum(one["cpu_s"] for one in said), 3),
            "records": [one["records"] for one in said],
            "rss_mib": max(process.rss_mib for process in running),
        }


def _wait_for_shares(running: list[processes.Process], share: int) -> None:
    """Wait until every worker holds as many partitions as the others."""
    deadline, held = time.monotonic() + processes.TIMEOUT_S, [0] * len(running)
    while held != [share] * len(running):
        for place, process in enumerate(running):
            for line in process.new_lines():
                held[place] = len(line.get("holds", ())) if "holds" in line else held[place]
        if time.monotonic() > deadline:
            raise Inexact(f"the workers hold {held} partitions, not {share} each")
        time.sleep(POLL_S)


def _until_applied(running: list[processes.Process], records: int) -> Iterator[dict[str, Any]]:
    """Wait until all records are applied and committed; yield the last progress of every worker."""
    deadline = time.monotonic() + processes.TIMEOUT_S
    last: list[dict[str, Any]] = [{} for _ in running]
    while (applied := sum(said.get("records", 0) for said in last)) != records:
        for place, process in enumerate(running):
            for line in process.new_lines():
                last[place] = line if "records" in line else last[place]
        if applied > records or time.monotonic() > deadline:
            raise Inexact(f"{applied} records were applied, not {records}")
        time.sleep(POLL_S)
    yield from (said for said in last if said)
