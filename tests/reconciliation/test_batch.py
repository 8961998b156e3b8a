"""The vector path of reconciliation: what a run leaves behind, where it ends, and how much it looks at."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.stream import ReconciliationRules
from tests.ledger.branches import opened
from tests.reconciliation.desk import LATER, Desk
from tests.reconciliation.runs import Log, Replay


class CountedRows(MemoryRows):
    """Rows that count what is asked and written."""

    def __init__(self) -> None:
        super().__init__()
        self.scans = 0
        self.written: set[bytes] = set()

    def scan(self, prefix: bytes) -> Any:
        self.scans += 1
        return super().scan(prefix)

    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value)
        self.written.add(key)

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self.written.add(key)


def log_of(*entries: str) -> Log:
    """Return entries of `Desk` as a log."""
    desk = Desk()
    return [(desk.read(entry), LATER) for entry in entries]


def replay() -> tuple[Replay, CountedRows]:
    """Return a replay over counted rows."""
    made = Replay(ReconciliationRules())
    made.rows = rows = CountedRows()
    return made, rows


def test_a_match_within_a_run_never_touches_the_indexes() -> None:
    made, rows = replay()
    made.apply(log_of("1 posting P1 -10 R1", "1 line S1/1 -10 R1"))
    assert [type(event) for _, _, event in made.said] == [ev.ItemMatched]
    assert {key[:1] for key in rows.written} == {b"o", b"l", b"s", b"c", b"w"}


def test_a_match_across_runs_takes_the_posting_out_of_its_indexes() -> None:
    made, rows = replay()
    made.apply(log_of("1 posting P1 -10 R1"))
    assert {key[:1] for key in rows.data} == {b"o", b"r", b"a", b"d", b"w"}
    made.apply(log_of("1 line S1/1 -10 R1"))
    assert {key[:1] for key in rows.data} == {b"o", b"l", b"s", b"c", b"w"}


def test_a_run_reads_short_indexes_once() -> None:
    made, rows = replay()
    made.apply(log_of("1 posting P0 -5 R0", "1 line S1/0 -7 R-1"))
    rows.scans = 0
    pairs = [(f"1 posting P{n} -{n}0 R{n}", f"1 line S1/{n} -{n}0 R{n}") for n in range(1, 40)]
    made.apply(log_of(*[entry for pair in pairs for entry in pair]))
    # e, u, r by what they are searched by, and what falls due.
    assert rows.scans == 4 and len(made.said) == 39


@pytest.mark.parametrize("stop", ["refused", "not of this stream"])
def test_a_run_ends_where_the_row_path_must_take_over(stop: str) -> None:
    made, _ = replay()
    log = log_of("1 posting P1 -10 R1", "1 line S1/-1 -10 R1", "1 line S1/1 -10 R1")
    if stop == "not of this stream":
        log[1] = (opened("open", "nostro"), LATER)
    made.apply(log)
    assert [code for _, code in made.rejected] == [
        "line_no_must_not_be_negative" if stop == "refused" else "unexpected_event"
    ]
    assert made.in_columns == 2 and [type(event) for _, _, event in made.said] == [ev.ItemMatched]
