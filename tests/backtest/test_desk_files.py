"""The desk over files: at once and by single rows it says the same, and weights have an effect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow.parquet
import pytest

from pipeline.backtest.matching.desk import DAYS_AFTER, over_desk, published, ticks
from pipeline.backtest.matching.over_rows import OverRows
from pipeline.backtest.matching.reading import Files, read_files
from pipeline.backtest.matching.running import run
from pipeline.domain.reconciliation.desk.stream import apply
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.backtest.matching_files import lines_file, postings_file
from tests.benchmarks.reconciliation_quality.comparison import files_of

ITEMS = 300
"""Of each side, of the first days: enough for every kind of difference."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("desk")
    given = files_of("small", 1)
    for name, time in (("postings", "occurred_at"), ("lines", "booked_at")):
        table = getattr(given, name)
        pyarrow.parquet.write_table(table.sort_by(time).slice(0, ITEMS), folder / name)
    return read_files(folder / "postings", folder / "lines")


def told(files: Files, stream: Any) -> tuple[Any, ...]:
    found = run(files, stream)
    return list(found.rows()), found.opened, found.open_breaks()


def test_single_rows_say_what_accounts_that_stay_in_memory_say(files: Files) -> None:
    at_once = told(files, over_desk(items=len(files)))
    assert at_once == told(files, OverRows(SimpleNamespace(apply=apply), DAYS_AFTER, ticks))
    rows, _, open_breaks = at_once
    assert len({row.tier for row in rows}) > 1 and open_breaks


def test_weights_have_an_effect_from_the_first_item_on(tmp_path: Path) -> None:
    said = {"reference": "", "description": "Ann Bell invoice 4711"}
    files = read_files(postings_file(tmp_path / "p.csv", said), lines_file(tmp_path / "l.csv", said))
    (match,) = run(files, over_desk(DEFAULT_WEIGHTS)).confirmed
    assert (match.line_id, match.posting_ids, match.tier) == ("l1", ("p1",), "SCORED")
    nothing = msgspec.structs.replace(DEFAULT_WEIGHTS, confirm_from=60_000, suggest_from=60_000)
    assert run(files, over_desk(nothing)).confirmed == []
    assert published(nothing).sha256 != DEFAULT_WEIGHTS.hash()
