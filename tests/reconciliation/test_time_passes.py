"""The desk will get time by events of its own; the stream in force passes them over, and its model, too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pipeline.verify.model.reconciliation import ReconciliationBranch

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.batch import ReconciliationBatch
from pipeline.domain.reconciliation.stream import Reconciliation, keys
from tests.chaos.by_hand import record
from tests.kernel.side_by_side import Replay
from tests.reconciliation.desk import DAY, LATER, Desk

TIMES = [
    ev.BranchTicked("tick", "", 99 * DAY, "tick", None, "$clock:0", 0),
    ev.ReconciliationContinued("on", "acme", 99 * DAY, "c", "cause", "nostro"),
]


@pytest.mark.parametrize("event", TIMES, ids=["tick", "continued"])
def test_time_that_passes_has_no_effect(event: Any) -> None:
    desk = Desk()
    desk.run("1 posting P1 5\n1 line S1/1 7")
    before = dict(desk.rows.data)
    assert desk.apply(event) == []
    assert desk.rows.data == before
    assert tuple(keys(event)) == ()


@pytest.mark.parametrize("event", TIMES, ids=["tick", "continued"])
def test_the_model_says_the_same(event: Any) -> None:
    fields = msgspec.structs.asdict(event)
    branch = ReconciliationBranch(0, 1)
    assert branch.apply(record(type(event).__name__, fields, topic="reconciliation-items")) == (None, [])


def test_a_run_goes_on_behind_it() -> None:
    desk, made = Desk(), Replay(Reconciliation())
    log: list[tuple[Any, int]] = [(desk.read(entry), LATER) for entry in ("1 posting P1 5", "1 line S1/1 5")]
    made.by_columns(ReconciliationBatch(), [log[0], *((event, LATER) for event in TIMES), log[1]])
    assert made.rejected == []
    assert [type(event).__name__ for _, event in made.said["reconciliation-results"]] == ["ItemMatched"]
