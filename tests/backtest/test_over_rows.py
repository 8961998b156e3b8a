"""Rules over rows in memory say what the same rules say with their rows decoded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet

from pipeline.backtest.matching.over_rows import LOG, OverRows
from pipeline.backtest.matching.reading import read_files
from pipeline.backtest.matching.running import run
from pipeline.backtest.matching.streams import InForce, time_passes
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.reconciliation.stream import Reconciliation
from tests.benchmarks.reconciliation_quality.comparison import files_of


def test_the_stream_in_force_over_rows_says_the_same(tmp_path: Path) -> None:
    given = files_of("small", 2)
    for name in ("postings", "lines"):
        pyarrow.parquet.write_table(getattr(given, name), tmp_path / name)
    files = read_files(tmp_path / "postings", tmp_path / "lines")
    accounts = sorted({row.account_id for row in files.rows()})

    def time(at_us: int) -> Iterator[ev.StatementClosed]:
        for account_id in accounts:
            yield time_passes(account_id, at_us, at_us)

    over_rows = run(files, OverRows(Reconciliation(), "rows", 8, time, takes_weights=False))
    at_once = run(files, InForce(items=len(files)))
    # At the end time is the account's own there, and the latest of all here.
    assert {one[:3] for one in over_rows.rows()} == {one[:3] for one in at_once.rows()}
    assert over_rows.open_breaks() == at_once.open_breaks()
    assert over_rows.opened == at_once.opened


class Continuing:
    """Rules that go on by their own log: each event is three."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        number = int((rows.get(b"n") or b"0").decode()) + 1
        rows.put(b"n", str(number).encode())
        self.heard.append((event.occurred_at, at.recorded_at))
        out.emit("reconciliation-results", "", number)
        if number % 3:
            out.emit(LOG, "", event)


def test_what_is_sent_to_the_log_comes_back_before_anything_else() -> None:
    day = 86_400_000_000
    rules = Continuing()
    weights = time_passes("a", 0, 0)
    stream = OverRows(rules, "three", 2, lambda at_us: [time_passes("a", at_us, at_us)], [weights])
    assert stream.apply(time_passes("a", 5, 1)) == [4, 5, 6]
    assert list(stream.end()) == [[7, 8, 9], [10, 11, 12]]
    assert rules.heard[::3] == [(0, 0), (5, 5), (5 + day, 5 + day), (5 + 2 * day, 5 + 2 * day)]
