"""Files say the same as the quality job's own run of the stream: on data with all kinds of differences."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet

from pipeline.backtest.matching.reading import read_files, read_labels
from pipeline.backtest.matching.running import run
from pipeline.backtest.matching.streams import InForce
from tests.benchmarks.reconciliation_quality.comparison import files_of
from tests.benchmarks.reconciliation_quality.matched import breaks_of, results_of
from tests.benchmarks.reconciliation_quality.today import Today


def test_files_say_what_the_quality_job_says(tmp_path: Path) -> None:
    given = files_of("small", 1)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("postings", "lines", "labels")}
    for name, path in paths.items():
        pyarrow.parquet.write_table(getattr(given, name), path)
    files = read_files(paths["postings"], paths["lines"])
    assert len(read_labels(paths["labels"], files)) == given.labels.num_rows
    told: list[int] = []
    found = run(files, InForce(items=len(files)), told.append)
    assert told[-1] == len(files) and told == sorted(told)
    judged = Today()(given.postings, given.lines, None)
    assert len(found.confirmed) > 500
    assert sorted(
        (one.line_id or "", one.posting_ids, one.tier, one.decided_at) for one in found.rows()
    ) == sorted((one.line_id or "", one.posting_ids, one.tier, one.decided_at) for one in results_of(judged))
    still = Counter(one.kind for one in breaks_of(judged) if one.resolved_at is None)
    # There a break on both sides is counted with each of its items.
    for kind in ("MISSING_EXTERNAL", "MISSING_INTERNAL"):
        assert found.open_breaks()[kind] == still[kind] > 0
