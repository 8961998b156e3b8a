"""The check of answers about the past: right ones pass; those of a worker that is broken do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.history import stream as history
from pipeline.domain.history.views import BALANCE_AT
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.verify.model.history import SIZE, HistoryBranch, Line
from pipeline.web.past import past
from pipeline.web.problems import Problem
from tests.chaos.by_hand import chance, in_order
from tests.chaos.mutants import MUTANTS
from tests.chaos.past_check import Lines, Question, compare_past, questions, walk
from tests.chaos.test_history_model import journal
from tests.cli.fake_worker import Worker, home, scope_of

WRONG_ANSWERS = ("known_before", "zone_taken_whole", "known_now")
"""Mutants of the questions; the rows are right, so nothing but a question can find them."""
WRONG_ROWS = ("zone_one_short", "lost_line", "value_for_booking", "late_line")


class Answering:
    """A worker's views over a history that the product's rules have written, and the model of it."""

    def __init__(self, folder: Path) -> None:
        self._worker = Worker(folder)
        self.branch = HistoryBranch(0, 1)

    @property
    def lines(self) -> Lines:
        return self.branch.lines

    def book(self) -> None:
        """Write a random journal, as the rules have it at present."""
        rows = MemoryRows()
        for made in in_order(journal(chance(3), 30 * SIZE), 0):
            if self.branch.apply(made)[0] is None:
                event = msgspec.convert(made.fields, EVENTS[f"ledgerflow.{made.event}"])
                history.apply(event, Arrival(made.timestamp_ms * 1000, 0, 1), rows, Outbox())
        for tenant_id, account_id in self.lines:
            self._worker.commit("history", rows.data, home(account_id, tenant_id))

    def ask(self, question: Question) -> Mapping[str, Any] | None:
        times = {"as_of": question.as_of, "known_at": question.known_at}
        given = {name: time for name, time in times.items() if time is not None}
        scope = scope_of(BALANCE_AT, *question.account, times=given)
        worker: Any = self._worker
        try:
            return past(worker, scope, home(question.account[1], question.account[0])).about
        except Problem as problem:
            assert problem.status == 404
            return None

    def close(self) -> None:
        self._worker.close()


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    running = Answering(tmp_path)
    yield running
    running.close()


def test_right_answers_pass_and_the_questions_are_of_every_kind(answering: Answering) -> None:
    answering.book()
    found = [
        (question, walk(answering.lines[question.account], question.as_of, question.known_at))
        for question in questions(answering.lines, chance(0))
    ]
    assert {(question.as_of is None, question.known_at is None) for question, _ in found} == {
        *((True, False), (False, True), (False, False))
    }
    assert len({answer for _, answer in found}) > 5 and None in {answer for _, answer in found}
    for seed in range(10):
        assert compare_past("worker", answering.lines, chance(seed), answering.ask) == []


@pytest.mark.parametrize("name", [*WRONG_ANSWERS, *WRONG_ROWS])
def test_a_wrong_answer_is_found(name: str, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name].patch(monkeypatch.setattr)
    answering.book()
    (problem, *_) = compare_past("worker", answering.lines, chance(0), answering.ask)
    assert problem.check == "past"


def test_what_is_available_must_be_the_balance_without_what_is_held() -> None:
    lines = {("t", "a"): [Line(1, 1, 5, 2, 5, 2)]}

    def ask(question: Question) -> Mapping[str, Any] | None:
        if walk(lines["t", "a"], question.as_of, question.known_at) is None:
            return None
        return {"balance_minor": 5, "held_minor": 2, "available_minor": 5, "lines": 1}

    assert "has 5 available" in compare_past("worker", lines, chance(0), ask)[0].text


def test_a_question_is_asked_with_whatever_an_id_holds() -> None:
    question = Question(("t", "a {b}/é"), None, 7)
    assert question.path == "/balances/t/a%20%7Bb%7D%2F%C3%A9?known_at=7"
