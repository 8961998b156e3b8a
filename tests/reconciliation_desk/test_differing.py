"""Pairs that differ: when they are matched, and what their breaks say."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from tests.reconciliation_desk.branch import Branch
from tests.reconciliation_desk.test_router import tell
from tests.reconciliation_desk.test_stream import matches


def kinds(said: list[Any]) -> list[str]:
    """Return the breaks that were opened, by kind and difference, and those that were resolved."""
    return [
        f"{one.kind} {one.difference_minor}" if isinstance(one, ev.BreakOpened) else "resolved"
        for one in said
        if isinstance(one, ev.BreakOpened | ev.BreakResolved)
    ]


def test_a_payment_less_a_fee_is_matched_when_it_is_due_and_a_break_says_what_was_taken_off() -> None:
    branch = Branch()
    early = tell(branch, "10 posting P1 100000 R10001", "11 line S1/1 99750 R10001", "13 tick")
    assert matches(early) == []
    due = tell(branch, "60 tick") + branch.goes_on()
    assert matches(due) == ["S1/1 P1 SCORED"]
    assert kinds(due) == ["FEE -250", "resolved"]


def test_a_set_that_adds_up_comes_before_a_pair_that_is_less_by_a_fee() -> None:
    branch = Branch()
    tell(branch, "10 posting P1 -210750 R10001", "11 line S1/1 -215750 R10001", "13 posting P2 -5000 R10001")
    due = tell(branch, "60 tick") + branch.goes_on()
    assert matches(due) == ["S1/1 P1 P2 GROUP"]
    assert kinds(due) == []


def test_a_line_with_a_wrong_value_date_is_matched_a_day_later_and_its_break_says_so() -> None:
    branch = Branch()
    assert matches(tell(branch, "41 posting P1 777 R10001", "41 line S1/1 777 R10001 day:11")) == []
    said = tell(branch, "43 posting P2 5") + branch.goes_on()
    assert matches(said) == ["S1/1 P1 SCORED"]
    assert kinds(said) == ["DATE 0", "resolved"]


def test_a_part_of_a_payment_is_named_a_day_after_it_came_and_ends_with_the_rest() -> None:
    branch = Branch()
    tell(branch, "10 posting P1 30000 R10001", "11 line S1/1 11000 R10001")
    part = tell(branch, "13 posting P2 5") + branch.goes_on()
    assert [one for one in kinds(part) if one.startswith("PARTIAL")] == ["PARTIAL -19000"]
    rest = tell(branch, "14 line S2/1 19000 R10001", "16 posting P3 5") + branch.goes_on()
    assert matches(rest) == ["S1/1 P1 GROUP"]
    assert "resolved" in kinds(rest)
