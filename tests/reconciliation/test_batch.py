"""Reconciliation by batches is that by rows; what a run leaves behind, where it ends, how much it reads."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation import items, matching
from pipeline.domain.reconciliation.batch import ReconciliationBatch
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import Reconciliation
from tests.examples import examples
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.ledger.branches import opened
from tests.reconciliation.desk import LATER, Desk
from tests.reconciliation.test_properties import DAY, logs, rules_of_any_kind

BATCH = ReconciliationBatch()


_ACCOUNTS = [("acme", "nostro"), ("acme", "nostro"), ("acme", "nostro 2"), ("north", "nostro")]
_MISFITS = [
    {"currency": ""},
    {"currency": "USD"},
    {"account_id": "nos\0tro"},
    {"tenant_id": ""},
    {"amount_minor": 2**62},
    {"amount_minor": 2**61},
]


@st.composite
def _schedules(draw: st.DrawFn) -> tuple[Log, list[int]]:
    """Return a log over a few accounts, hardly ever with events that are refused, and where it is cut."""
    log: Log = []
    for _ in range(draw(st.integers(1, 4))):
        # One part of the log after another, each within some days, so that items grow old meanwhile.
        day = draw(st.sampled_from([0, 0, 0, 2, 5]))
        for event in draw(logs()):
            tenant_id, account_id = draw(st.sampled_from(_ACCOUNTS))
            changes: dict[str, Any] = {"tenant_id": tenant_id, "account_id": account_id}
            if draw(st.integers(0, 30)) == 30:
                changes |= draw(st.sampled_from(_MISFITS))
                changes = {name: value for name, value in changes.items() if hasattr(event, name)}
            changes |= {"event_id": f"e{len(log)}", "occurred_at": event.occurred_at + day * DAY}
            recorded_at = draw(st.sampled_from([100, 100, 100, 8, 3])) * DAY
            log.append((msgspec.structs.replace(event, **changes), recorded_at))
    if draw(st.integers(0, 9)) == 9:
        log.insert(draw(st.integers(0, len(log))), (opened("open", "nostro"), 0))
    cuts = sorted(draw(st.lists(st.integers(0, len(log)), max_size=4)))
    return log, cuts


_loads = st.sampled_from([0, 1, 4, 4])
"""Rows of an index read at once per event: none, or few, so that what is not in memory is searched for."""
_bounds = st.one_of(st.none(), st.tuples(st.integers(1, 3), st.integers(1, 2)))
"""How many candidates and due items are looked at: the usual number, or so few that it is reached."""


@examples(200)
@given(_schedules(), rules_of_any_kind, _loads, _bounds)
def test_batches_and_rows_agree(
    schedule: tuple[Log, list[int]], rules: ReconciliationSettings, load: int, bounds: tuple[int, int] | None
) -> None:
    candidates, due = bounds or (items.CANDIDATES_MAX, matching.DUE_MAX)
    with (
        patch.object(items, "LOAD_PER_EVENT", load),
        patch.object(items, "CANDIDATES_MAX", candidates),
        patch.object(matching, "CANDIDATES_MAX", candidates),
        patch.object(matching, "DUE_MAX", due),
    ):
        assert_alike(Reconciliation(rules), ReconciliationBatch(rules), *schedule)


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
    made = Replay(Reconciliation())
    made.rows = rows = CountedRows()
    return made, rows


def results(made: Replay) -> list[type]:
    return [type(event) for _, event in made.said.get("reconciliation-results", [])]


def test_a_match_within_a_run_never_touches_the_indexes() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P1 -10 R1", "1 line S1/1 -10 R1"))
    assert results(made) == [ev.ItemMatched]
    assert {key[:1] for key in rows.written} == {b"o", b"l", b"s", b"c", b"w", b"q"}


def test_a_match_across_runs_takes_the_posting_out_of_its_indexes() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P1 -10 R1"))
    assert {key[:1] for key in rows.data} == {b"o", b"r", b"a", b"d", b"w"}
    made.by_columns(BATCH, log_of("1 line S1/1 -10 R1"))
    assert {key[:1] for key in rows.data} == {b"o", b"l", b"s", b"c", b"w", b"q"}


def test_a_run_reads_short_indexes_once() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P0 -5 R0", "1 line S1/0 -7 R-1"))
    rows.scans = 0
    pairs = [(f"1 posting P{n} -{n}0 R{n}", f"1 line S1/{n} -{n}0 R{n}") for n in range(1, 40)]
    made.by_columns(BATCH, log_of(*[entry for pair in pairs for entry in pair]))
    # e, u, r by what they are searched by, and what falls due.
    assert rows.scans == 4 and len(results(made)) == 39


@pytest.mark.parametrize("stop", ["refused", "not of this stream"])
def test_a_run_ends_where_the_row_path_must_take_over(stop: str) -> None:
    made, _ = replay()
    log = log_of("1 posting P1 -10 R1", "1 line S1/-1 -10 R1", "1 line S1/1 -10 R1")
    if stop == "not of this stream":
        log[1] = (opened("open", "nostro"), LATER)
    made.by_columns(BATCH, log)
    assert made.rejected == ["line_no_must_not_be_negative" if stop == "refused" else "unexpected_event"]
    assert made.in_columns == 2 and results(made) == [ev.ItemMatched]
