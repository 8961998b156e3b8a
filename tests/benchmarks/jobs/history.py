"""The history job: postings of the journal -> every account's lines and zones; then questions of the past.

The stream by columns, as it runs, and by rows. The questions: of an account of 1,000 lines, and of one with
as many as the sum job has events, each with bookings in the order of their value times and with late ones.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.domain.history.rows import unpack_head
from pipeline.domain.history.stream import state_at
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.runtime.kafka.topics import changelog_name
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import agreeing, expect
from tests.benchmarks.inputs import AMOUNT_MINOR_MAX, TENANT, now_us
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.past import LATE_ONE_IN, LATE_US, measure, posting_of

SOURCE = "postings"
ACCOUNTS = 20_000
LINES, ASKED = 1_000, 2_000
CHECKED = 200
"""Accounts whose balance at a time is checked."""


@dataclass
class HistoryInput:
    """The postings of one round, and what the history must make of them."""

    seed: str
    postings: int
    partitions: int
    balances: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    middle: int = 0
    """A value time in the middle."""
    in_time: Counter[str] = field(default_factory=Counter)
    """Balance of each account by that value time."""

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, posting_recorded); some are late."""
        rng, start = random.Random(self.seed), now_us()
        accounts = max(8, min(ACCOUNTS, self.postings // 5))
        self.middle = start + self.postings // 2
        for number in range(self.postings):
            account = f"{self.seed}-A{rng.randrange(accounts):05d}"
            key = f"{TENANT}/{account}"
            amount = rng.randrange(1, AMOUNT_MINOR_MAX) * rng.choice((1, -1))
            late = rng.randrange(LATE_US) if rng.randrange(LATE_ONE_IN) == 0 else 0
            value_time = start + number - late
            self.balances[account] += amount
            self.lines[account] += 1
            if value_time <= self.middle:
                self.in_time[account] += amount
            posting = posting_of(
                *(account, f"{self.seed}-{number:032d}", value_time, start + number, amount),
                *(self.balances[account], partition_of(key, self.partitions)),
            )
            yield key, posting


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who keeps the history, and who is asked; every round has accounts of its own."""

    def ours(job_name: str, number: int) -> dict[str, Any]:
        app_id = f"{job_name.replace('_', '-')}-{number}"
        start = bench.ends(SOURCE)
        bench.start_at(app_id, start)
        job = HistoryInput(app_id, bench.sizes.payments, bench.settings.partitions)
        records = bench.produce(SOURCE, job.events())
        found = bench.run_ours(job_name, app_id, records, table="history")
        check(bench.rows(changelog_name(app_id, "history")), job)
        return rated(found, job.postings, accounts=len(job.balances))

    def questions(number: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=bench.settings.data_dir) as folder:
            found = {
                f"{lines:,} lines{', late ones' if late else ''}": measure(Path(folder), lines, late, ASKED)
                for late in (False, True)
                for lines in (LINES, bench.sizes.events)
            }
        small, large = (found[f"{lines:,} lines"]["both"] for lines in (LINES, bench.sizes.events))
        return {
            "questions": found,
            "lines": bench.sizes.events,
            "growth": round(large["p50_us"] / small["p50_us"], 2),
            "rows_growth": round(large["rows_mean"] / small["rows_mean"], 2),
        }

    by_rows = {"history_by_rows": partial(ours, "history_by_rows")}
    return {"history": partial(ours, "history"), **by_rows, "history_questions": questions}


def check(rows: dict[bytes, bytes], job: HistoryInput) -> None:
    """Raise Inexact unless every posting is a line, once, and balances now and in the past add up."""
    heads = {key.decode().split("\0")[2]: unpack_head(row) for key, row in rows.items() if key[:1] == b"h"}
    expect("accounts", heads.keys() == job.lines.keys(), True)
    lines = {account: head.lines for account, head in heads.items()}
    expect("accounts with the right number of lines", agreeing(lines, job.lines), len(lines))
    expect("lines", sum(key[:1] == b"l" for key in rows), job.postings)
    balances = {account: head.balance_minor for account, head in heads.items()}
    expect("accounts with the right balance", agreeing(balances, job.balances), len(balances))
    table = MemoryRows()
    table.data = rows
    some = sorted(job.lines)[:CHECKED]
    states = {account: state_at(table, TENANT, account, lines[account], job.middle) for account in some}
    past = {account: state.balance_minor if state else 0 for account, state in states.items()}
    expect("balances in the past", past, {account: job.in_time[account] for account in some})
