"""The desk over files, as a contender: with the default weights, or with those that the labels teach."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.backtest.matching.desk import over_desk
from pipeline.backtest.matching.learning import learned
from pipeline.backtest.matching.reading import Label, read_files
from pipeline.backtest.matching.results import Results
from pipeline.backtest.matching.streams import Events
from pipeline.domain.kernel import events as ev
from tests.benchmarks.reconciliation_quality.matched import Break, Matched, Result, matched


class Desk:
    """The scored stream; labels go to the learning of weights and nowhere else."""

    def __call__(self, postings: pa.Table, lines: pa.Table, labels: pa.Table | None) -> Matched:
        """Return what the desk says; see `matched.Run`."""
        with tempfile.TemporaryDirectory(prefix="ledgerflow-quality-") as folder:
            paths = Path(folder, "postings.parquet"), Path(folder, "lines.parquet")
            for path, table in zip(paths, (postings, lines), strict=True):
                pq.write_table(table, path)
            files = read_files(*paths)
        weights = None
        if labels is not None:
            columns = (labels[name].to_pylist() for name in Label._fields)
            weights = learned(files, map(Label, *columns)).weights
        stream, events = over_desk(weights, len(files)), Events()
        found, breaks = Results(events), _Breaks(events)
        for row in files.rows():
            _hear(stream.apply(events.of(row)), found, breaks)
        for said in stream.end():
            _hear(said, found, breaks)
        results = (Result(*row[:4], row.score or 0, row.decided_at) for row in found.rows())
        return matched(results, breaks.rows.values())


def _hear(said: list[Any], found: Results, breaks: _Breaks) -> None:
    found.hear(said)
    breaks.hear(said)


class _Breaks:
    """The breaks of items, by break and item."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.rows: dict[tuple[str, str], Break] = {}
        self._items: dict[str, list[str]] = {}

    def hear(self, said: Iterable[Any]) -> None:
        """Take what the stream emits."""
        for one in said:
            if isinstance(one, ev.BreakOpened):
                line = self._events.line_id(one.account_id, one.statement_id, one.line_no)
                items = self._items[one.break_id] = [item for item in (line, one.posting_id) if item]
                for item in items:
                    kind = one.kind or one.type
                    self.rows[one.break_id, item] = Break(item, kind, one.occurred_at, None)
            elif isinstance(one, ev.BreakResolved):
                for item in self._items[one.break_id]:
                    key = one.break_id, item
                    self.rows[key] = self.rows[key]._replace(resolved_at=one.occurred_at)
