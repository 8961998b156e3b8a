"""The desk goes on from the rows that the stream before has left: each event meets what was there."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.reconciliation.breaks.rows import day_key
from pipeline.domain.reconciliation.desk.rows import MISSING
from tests.reconciliation_desk.branch import Branch, pending
from tests.reconciliation_desk.entries import Entries
from tests.reconciliation_desk.rows_before import before
from tests.reconciliation_desk.test_corrections import pairs
from tests.reconciliation_desk.test_router import item, tell
from tests.reconciliation_desk.test_stream import matches


def after(ledger: str, windows: Windows | None = None) -> Branch:
    """Return a branch with the rows that the stream before has left of a ledger."""
    branch = Branch() if windows is None else Branch(windows)
    branch.rows.data, branch.number = before(ledger).data, 1_000
    return branch


@pytest.mark.parametrize(
    "ledger", ["1 posting P1 -10 A10001\n1 line S1/1 -10 A10001", "1 line S1/1 -10 A10001"]
)
def test_a_line_of_before_that_comes_again_has_no_effect(ledger: str) -> None:
    entries = Entries()
    line = [entries.read(entry) for entry in ledger.splitlines()][-1]
    branch = after(ledger)
    known = dict(branch.rows.data)
    assert branch.apply(line) == [] and branch.log == []
    assert branch.rows.data == known


def test_open_items_of_before_match_what_comes() -> None:
    branch = after("1 posting P1 -10 A10001\n1 line S1/1 -20 B20002")
    tell(branch, "2 posting P2 -20 B20002", "3 line S2/1 -10 A10001", "4 tick")
    assert matches(branch.said) == ["S1/1 P2 REFERENCE", "S2/1 P1 REFERENCE"]
    assert branch.figures(1)["match_rate_ppm"] == branch.figures(2)["match_rate_ppm"] == 1_000_000


def test_a_break_of_before_is_counted_and_resolved_by_what_comes() -> None:
    branch = after("1 posting P1 -10 A10001\n9 tick")
    (opened,) = [key for key in branch.rows.data if key[:1] == b"b"]
    tell(branch, "10 tick")
    posting = item(branch, "P1")
    assert (posting.status, posting.standing) == (MISSING, "UNEXPLAINED")
    assert branch.figures(1)["open"] == {"unexplained": {"items": 1, "minor": 10}}
    said = tell(branch, "11 line S1/1 -10 A10001")
    (resolved,) = [one for one in said if isinstance(one, ev.BreakResolved)]
    assert opened.endswith(resolved.break_id.encode())
    assert matches(said) == ["S1/1 P1 REFERENCE"]
    assert branch.figures(1)["open"] == {}


def test_a_missing_item_of_before_meets_at_once_since_it_is_never_due() -> None:
    branch = after("5 posting P1 -12345 A10001\n10 tick")
    tell(branch, "10 tick")
    assert item(branch, "P1").stage == 1
    assert matches(tell(branch, "11 line S1/1 -12345")) == ["S1/1 P1 SCORED"]


def test_a_line_of_before_that_moves_no_money_does_not_wait() -> None:
    branch = after("1 line S1/1 0 A10001")
    tell(branch, "2 tick")
    assert item(branch, "S1/1").status == "INFORMATION"
    assert pending(branch.rows, "d") == 0
    assert day_key("acme", "nostro", "EUR", 1) not in branch.rows.data


def test_what_was_matched_before_is_deleted_with_its_windows() -> None:
    branch = after("1 posting P1 -10 A10001\n1 line S1/1 -10 A10001\n1 close S1 0 -10 1", Windows(1, 3))
    assert pending(branch.rows, "c") == 1
    for day in range(70, 120, 10):
        tell(branch, *pairs(day))
    assert [pending(branch.rows, family) for family in "cs"] == [0, 0]
    assert not [key for key in branch.rows.data if key.endswith((b"\0P1", b"\0S1\x0009223372036854775809"))]
