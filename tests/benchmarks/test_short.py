"""The benchmark command on tiny numbers: it runs, what comes out is exact; how fast is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Run, events_of
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from tests.benchmarks.digest import digest_of
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.figures import BARS, figures_of, met
from tests.benchmarks.jobs.latency import answered
from tests.benchmarks.jobs.sums import SumInput, check_table, sum_events
from tests.benchmarks.jobs.tenants import answered_by
from tests.benchmarks.paced import PacedJob, Phase
from tests.benchmarks.report import report, table
from tests.benchmarks.sum_columns import SumColumns
from tests.benchmarks.sum_rules import SumRules

ROOT = Path(__file__).parents[2]
EVENTS, PAYMENTS = 3_000, 300
JOBS = ("sum", "ledger", "fraud", "positions", "reconciliation", "history")


def test_a_job_runs_and_comes_to_an_exact_result() -> None:
    found = figures("sum")
    assert found["exact"] is True
    assert {name: runs[0]["items"] for name, runs in found["rounds"].items()} == {
        "sum_stock_faust": EVENTS,
        "sum": EVENTS,
    }
    assert found["sum_ratio_stock_faust"] > 0 and found["sum_ratio_kafka_streams"] is None


def figures(*names: str) -> dict[str, Any]:
    """Run the command with those jobs; return what it says.

    No figure of it is judged here, so it takes as long as it takes; a part of it that hangs ends it.
    """
    command = [sys.executable, "-m", "tests.benchmarks", "--json", "--rounds", "1"]
    numbers = ["--events", str(EVENTS), "--payments", str(PAYMENTS), "--seconds", "1"]
    jobs = [part for name in names for part in ("--job", name)]
    done = subprocess.run(command + numbers + jobs, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
def test_every_job_runs_and_comes_to_an_exact_result() -> None:
    found = figures(*JOBS)
    assert found["exact"] is True
    (asked,) = found["rounds"].pop("history_questions")
    assert {len(kinds) for kinds in asked["questions"].values()} == {4}
    items = {name: runs[0]["items"] for name, runs in found["rounds"].items()}
    few = items.pop("reconciliation")  # whole days of whole accounts
    assert few > PAYMENTS
    assert items == {
        "sum_stock_faust": EVENTS,
        "sum": EVENTS,
        "ledger": PAYMENTS,
        "fraud": PAYMENTS,
        "fraud_rules": PAYMENTS,
        "positions": PAYMENTS,
        "history": PAYMENTS,
        "history_by_rows": PAYMENTS,
    }
    assert min(found["sum_ratio_stock_faust"], found["ledger_payments_per_s"]) > 0
    assert found["sum_ratio_kafka_streams"] is None


@pytest.mark.long
def test_the_gateway_job_logs_every_read_and_settles_every_payment() -> None:
    ((found,),) = figures("gateway")["rounds"].values()
    assert min(found["reads_per_s"], found["bare_reads_per_s"], found["commands"]["accepted"]) > 0
    noisy = found["quiet"]["beside_limited"]["noisy"]
    assert noisy["requests"] > noisy["refused"] >= 0


def test_sums_by_columns_are_those_by_rows() -> None:
    job = SumInput([[] for _ in range(4)])
    events = [event for _, event in sum_events(3_000, 4, job)]
    by_rows, by_columns, out = MemoryRows(), MemoryRows(), Outbox()
    for event in events:
        SumRules().apply(event, Arrival(0, 0, 4), by_rows, out)
    latest = {key: event for _, key, event in out.items}
    cells = {name: [getattr(event, name) for event in events] for name in SumColumns.fields}
    columns = {name: pa.array(cells[name], kind) for name, kind in SumColumns.fields.items()}
    kinds = np.zeros(len(events), np.int8)
    kinds[2_000] = OTHER
    run = Run(columns, kinds, np.zeros(len(events), np.int64), 0, 4)
    said: dict[str, object] = {}
    for start, applied in ((0, 2_000), (2_000, 0), (2_001, 999)):
        length, blocks = SumColumns().apply(run.slice(start, len(events)), by_columns)
        assert length == applied
        if not applied:
            SumRules().apply(events[start], Arrival(0, 0, 4), by_columns, out)
            said[out.items[-1][1]] = out.items[-1][2]
        for block in blocks:
            said.update(zip(block.keys.to_pylist(), events_of(block), strict=True))
    assert by_columns.data == by_rows.data
    assert said == latest


def test_a_sum_that_is_off_by_one_is_found() -> None:
    sums = Counter({"acc-1": 5, "acc-2": 7})
    check_table("right", digest_of(reversed(sums.items())), sums)
    with pytest.raises(Inexact, match="wrong"):
        check_table("wrong", digest_of([("acc-1", 5), ("acc-2", 8)]), sums)


def test_a_payment_is_answered_by_the_first_sum_that_includes_it() -> None:
    class Said(NamedTuple):
        account_id: str
        debits_posted: int

    job = PacedJob("s", 2, False, [Phase(1_000, 0.05)])
    payments = list(job.payments())
    first, second = (
        [number for number, (debtor, _, _) in enumerate(payments) if debtor == place] for place in (0, 1)
    )
    assert len(first) > 3
    some = sum(payments[number][2] for number in first[:2])
    every = sum(payments[number][2] for number in first)
    outputs = [(1.0, Said(job.account(0), some)), (2.0, Said(job.account(0), every))]
    found = answered(job, iter([*outputs, (3.0, Said(job.account(0), every))]))
    assert [found[number] for number in first] == [1.0, 1.0] + [2.0] * (len(first) - 2)
    assert {found[number] for number in second} == {inf}


def test_the_figures_are_medians_and_ratios_to_the_best_peer() -> None:
    rounds = {
        "sum_stock_faust": rounds_of(4_000, 1_000, 5_000),
        "sum_kafka_streams_100": rounds_of(20_000, 30_000, 40_000),
        "sum_kafka_streams_20_uncached": rounds_of(10_000, 10_000, 10_000),
        "sum": rounds_of(90_000, 80_000, 10_000),
        "latency": [{"rates": {"5000": waits(p99)}} for p99 in (10.0, 60.0, 40.0)],
        "latency_kafka_streams_100": [{"rates": {"5000": waits(110.0)}}],
        "latency_kafka_streams_20": [{"rates": {"5000": waits(32.0)}}],
    }
    found = report(rounds, "python -m tests.benchmarks --job sum")
    assert found["sum_ratio_stock_faust"] == 20.0
    assert found["sum_ratio_kafka_streams"] == 2.67
    assert found["latency_p99_ms_at_5000"] == 40.0
    assert found["latency_p99_ratio_kafka_streams"] == 1.25
    assert found["ledger_payments_per_s"] is None
    assert found["met"]["sum_ratio_stock_faust"] is False
    assert found["met"]["sum_ratio_kafka_streams"] is True
    assert found["met"]["latency_p99_ratio_kafka_streams"] is False
    assert found["met"]["ledger_payments_per_s"] is None
    assert "sum_ratio_stock_faust: 20.0 (bar: at least 40): not met" in table(found)


def test_every_bar_is_for_a_figure_and_a_slow_restore_may_still_be_three_times_the_peer() -> None:
    assert {bar.figure for bar in BARS} <= figures_of({}).keys()
    assert set(met(figures_of({})).values()) == {None}
    fast, slow = {"restore": rounds_of(30_000)}, {"restore_kafka_streams": rounds_of(10_000)}
    assert met(figures_of({**fast, **slow}))["restore_records_per_s"] is True
    assert met(figures_of(fast))["restore_records_per_s"] is False


def rounds_of(*rates: int) -> list[dict[str, int]]:
    return [{"items": 10, "per_s": rate, "per_cpu_s": rate, "rss_mib": rate // 1000} for rate in rates]


def waits(p99_ms: float) -> dict[str, Any]:
    return {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": p99_ms, "max_ms": p99_ms}


def test_a_quiet_tenant_is_measured_and_its_noisy_neighbour_counted() -> None:
    job = PacedJob("s", 2, False, [Phase(1_000, 0.003)], "quiet")
    ((key, first), *_) = job.events()
    assert (key.partition(b"/")[0], first.tenant_id) == (b"quiet", "quiet")
    due = [event.occurred_at - first.occurred_at for _, event in job.events()]
    assert due == pytest.approx([0, 1_000, 2_000], abs=10**6) and due[2] - due[1] == 1_000

    def refused(tenant: str, payment_id: str, code: str) -> ev.CommandRefused:
        head = ("e", tenant, 0, "c", None, "payment_initiated", "a")
        return ev.CommandRefused(*head, payment_id, code)

    def settled(tenant: str, number: int) -> ev.PaymentSettled:
        fields = (job.payment_id(number), "a", "b", 5, "EUR", "ok")
        return ev.PaymentSettled("e", tenant, 0, "c", None, *fields)

    neighbour: Counter[str] = Counter()
    outputs = [
        (1.0, settled("quiet", 2)),
        (2.0, settled("noisy", 0)),  # the same id, another tenant's
        (3.0, refused("noisy", "pay-s-1", "quota_exceeded")),
        (4.0, settled("quiet", 0)),
    ]
    assert answered_by(neighbour)(job, iter(outputs)) == [4.0, inf, 1.0]
    assert neighbour == {"settled": 1, "quota_exceeded": 1}
