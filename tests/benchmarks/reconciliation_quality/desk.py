"""The desk over files: with the default weights, or with those that the labels teach."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.backtest.matching.desk import over_desk
from pipeline.backtest.matching.learning import learned
from pipeline.backtest.matching.reading import Label, read_files
from pipeline.backtest.matching.running import run
from tests.benchmarks.reconciliation_quality.matched import Break, Matched, Result, matched


class Desk:
    """Matches files by the desk; labels go to the learning of weights and nowhere else."""

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
        found = run(files, over_desk(weights, len(files)))
        results = (Result(*row[:4], row.score or 0, row.decided_at) for row in found.rows())
        breaks = (Break(row.item, row.kind, row.opened_at, row.resolved_at) for row in found.breaks())
        return matched(results, breaks)
