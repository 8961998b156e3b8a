"""The benchmark command on tiny numbers: it runs, what comes out is exact; how fast is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.domain.columns import OTHER, Run, events_of
from pipeline.domain.outbox import Arrival, Outbox
from pipeline.domain.rows import MemoryRows
from tests.benchmarks.digest import digest_of
from tests.benchmarks.exactness import Inexact, check_table
from tests.benchmarks.inputs import SumInput, sum_events
from tests.benchmarks.report import report, table
from tests.benchmarks.sum_columns import SumColumns
from tests.benchmarks.sum_rules import SumRules

ROOT = Path(__file__).parents[2]
EVENTS, PAYMENTS = 3_000, 300


def test_every_job_runs_and_comes_to_an_exact_result() -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--json", "--rounds", "1"]
    numbers = ["--events", str(EVENTS), "--payments", str(PAYMENTS)]
    done = subprocess.run(command + numbers, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["exact"] is True
    assert {job: [run["items"] for run in runs] for job, runs in found["rounds"].items()} == {
        "stock_sum": [EVENTS],
        "our_sum": [EVENTS],
        "ledger": [PAYMENTS],
    }
    assert min(found["sum_ratio_stock_faust"], found["ledger_payments_per_s"], found["rss_mib"]) > 0


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
            said.update(zip(block.keys, events_of(block), strict=True))
    assert by_columns.data == by_rows.data
    assert said == latest


def test_a_sum_that_is_off_by_one_is_found() -> None:
    sums = Counter({"acc-1": 5, "acc-2": 7})
    check_table("right", digest_of(reversed(sums.items())), sums)
    with pytest.raises(Inexact, match="wrong"):
        check_table("wrong", digest_of([("acc-1", 5), ("acc-2", 8)]), sums)


def test_the_figures_are_medians_and_say_whether_the_bars_are_met() -> None:
    def rounds_of(*rates: int) -> list[dict[str, int]]:
        return [{"items": 10, "per_s": rate, "per_cpu_s": rate, "rss_mib": rate // 1000} for rate in rates]

    rounds = {
        "stock_sum": rounds_of(4000, 1000, 5000),
        "our_sum": rounds_of(90_000, 80_000, 10_000),
        "ledger": [],
    }
    found = report(rounds, "python -m tests.benchmarks --job sum")
    assert found["sum_ratio_stock_faust"] == 20.0
    assert found["ledger_payments_per_s"] is None
    assert found["met"] == {"sum_ratio_stock_faust": True, "ledger_payments_per_s": None}
    assert found["rss_mib"] == 90
    assert "sum_ratio_stock_faust: 20.0 (bar: at least 20): met" in table(found)
