"""Reconciliation broken on purpose, in memory: the judge of matches finds each mutant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from tests.chaos.matching_mutants import CORRECTIONS, MATCHING
from tests.chaos.mutants import MUTANTS
from tests.reconciliation_desk.test_stream import event_of
from tests.reconciliation_judge.desk_log import DeskLog, judge_log
from tests.reconciliation_judge.town import Town

SEEDS = range(6)
DAY = 86_400_000_000
NOT_YET = {"too many suggestions", "order of suggestions"}
"""What the desk itself does not hold yet (`tests/reconciliation_judge/test_desk.py`)."""
Patch = Callable[[Callable[[Any, str, Any], None]], None]


def found_in_towns() -> set[str]:
    """Return the names of what is wrong with the first town with which something is."""
    for seed in SEEDS:
        town = Town(seed)
        judge_log(town.log, town.days(40), 110)
        names = {wrong.name for _, wrong in town.log.wrong} - NOT_YET
        if names:
            return names
    return found_between_twins()


def found_between_twins() -> set[str]:
    """Return the names of what is wrong where equal items come, of which nobody can know the right one."""
    log = DeskLog()
    for number, text in enumerate(["5 posting P1 -650", "5 posting P2 -650", "6 line S1/1 -650", "40 tick"]):
        log.tell(event_of(text, number))
    return {wrong.name for _, wrong in log.wrong} - NOT_YET


def test_the_judge_finds_nothing_wrong_between_twins() -> None:
    assert found_between_twins() == set()


@pytest.mark.parametrize("mutant", MATCHING, ids=[mutant.__name__ for mutant in MATCHING])
def test_a_mutant_of_matching_is_found(mutant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch.setattr)
    assert found_in_towns()


def corrected(*answers: Callable[[str], Any]) -> DeskLog:
    """Return the log of a line that a journal corrects, and of what the ledger makes of that.

    Each of `answers` is given the break, and says what comes next.
    """
    log = DeskLog()
    for number, text in enumerate(["5 line S1/1 -650", "7 tick", "40 tick", "41 tick"]):
        log.tell(event_of(text, number))
    (found,) = (one for one in log.said if isinstance(one, ev.BreakOpened))
    for event in suggestion(found.break_id):
        log.tell(event)
    for answer in answers:
        log.tell(answer(found.break_id))
    return log


def common(event_id: str, actor: str | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "event_id": event_id,
        "tenant_id": "acme",
        "occurred_at": 42 * DAY,
        "correlation_id": "c",
        "causation_id": None,
        "account_id": "nostro",
    }
    return fields if actor is None else {**fields, "actor": ev.Actor("idp", actor, "s1")}


def suggestion(break_id: str) -> Iterable[Any]:
    """Yield what two people say: a correction of the break."""
    legs = (
        ev.JournalLeg(1, 1, "nostro", "DEBIT", 650, "EUR"),
        ev.JournalLeg(2, 1, "fees", "CREDIT", 650, "EUR"),
    )
    about = {"break_id": break_id, "legs": legs, "reference": "INV7", "reason": "a fee"}
    yield ev.CorrectionSuggested(**common("k1", "anna"), **about)
    yield ev.CorrectionApproved(**common("yes", "bob"), break_id=break_id, correction_id="k1")


def refused(break_id: str) -> Any:
    journal = f"correction-{break_id}-1"
    return ev.JournalAnswered(**common("no"), journal_id=journal, outcome="REFUSED", code="account_closed")


def posted(break_id: str) -> Any:
    posting = event_of("42 posting C1 -650 INV7", 90)
    return type(posting)(**{**fields_of(posting), "journal_id": f"correction-{break_id}-1"})


def taken_back(break_id: str) -> Any:
    about = {"break_id": break_id, "legs": (), "reference": "", "reason": "a mistake"}
    return ev.CorrectionSuggested(**common("k2", "bob"), **about, reverses=f"correction-{break_id}-1")


def approved(break_id: str) -> Any:
    return ev.CorrectionApproved(**common("yes, too", "anna"), break_id=break_id, correction_id="k2")


def fields_of(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


STORIES = ((refused,), (posted, taken_back, approved))


@pytest.mark.parametrize("mutant", CORRECTIONS, ids=[mutant.__name__ for mutant in CORRECTIONS])
def test_a_mutant_of_corrections_is_found(mutant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch.setattr)
    assert any(corrected(*answers).wrong for answers in STORIES)


def test_nothing_is_wrong_with_corrections_as_they_are() -> None:
    for answers in STORIES:
        assert corrected(*answers).wrong == []


def test_every_mutant_can_run_on_workers() -> None:
    assert {mutant.__name__ for mutant in (*MATCHING, *CORRECTIONS)} <= set(MUTANTS)
