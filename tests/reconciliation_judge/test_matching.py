"""A partition's results beside its log: each goes with its cause, and what nothing has caused is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pipeline.verify.findings import Problem
from pipeline.verify.lanes import Lane
from pipeline.verify.matching import check_of_wrong
from pipeline.verify.model.match_branch import MatchBranch
from pipeline.verify.model.match_envelope import name_of
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import COMMANDS, ITEMS, RESULTS, cause_of, derived
from tests.reconciliation_judge.tales import tales
from tests.reconciliation_judge.words import DEFAULT

TALE = """
tale: a pair, and another one
    5 posting P1 -100 ref=INV7
    6 line S1/1 -100 ref=INV7
      match REFERENCE S1/1 P1 amount=-100
    7 posting P2 -200 ref=INV8
    7 line S1/2 -200 ref=INV8
      match REFERENCE S1/2 P2 amount=-200
    10 continued
    45 continued
"""


class Found:
    """Findings as a list."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def count(self, check: str, things: int = 1) -> None:
        """What was looked at is not counted."""

    def wrong(self, problem: Problem) -> None:
        self.problems.append(problem)


def topics(text: str = TALE) -> tuple[list[Record], list[Record]]:
    """Return a log and its results, with the ids that follow from their causes."""
    (tale,) = tales(text)
    results = [named(step.record, one) for step in tale.steps for one in step.results]
    return [step.record for step in tale.steps], results


def named(cause: Record, said: Record) -> Record:
    name = name_of(said.event or "", said.fields)
    return said._replace(fields={**said.fields, "event_id": derived(cause_of(cause), name or "")})


def judged(log: Sequence[Record], results: Sequence[Record]) -> list[str]:
    """Return what is wrong, by check or by what the lanes say."""
    found = Found()
    lanes = {
        topic: Lane(found, lambda said: "lane", iter(said))
        for topic, said in ((RESULTS, results), (ITEMS, ()), (COMMANDS, ()))
    }

    def witness(topic: str, ahead: int, matches: Callable[[Record], bool], sure: bool) -> Record | None:
        return lanes[topic].find(ahead, matches, sure)

    model = MatchBranch(0, 1, default_weights=DEFAULT, witness=witness)
    wrong: list[str] = []
    for record in log:
        code, said = model.apply(record)
        wrong += [f"dead: {code}"] if code else []
        wrong += [f"{check_of_wrong(name)}: {name}" for name, _ in model.wrong()]
        for wanted in said:
            if wanted.topic in lanes:
                lanes[wanted.topic].expect(wanted)
    wrong += [f"{check_of_wrong(name)}: {name}" for name, _ in model.wrong_at_rest()]
    for lane in lanes.values():
        lane.finish()
    return [*wrong, *(problem.check for problem in found.problems)]


def test_results_go_with_their_causes() -> None:
    assert judged(*topics()) == []


def test_a_result_that_nothing_has_caused_is_found() -> None:
    log, results = topics()
    assert judged(log[:2], results) == ["lane"]


def test_a_lost_result_leaves_items_that_never_end() -> None:
    log, results = topics()
    assert judged(log, results[:1]) == ["breaks: lost due item"] * 2


def test_a_result_that_stands_there_twice_claims_twice() -> None:
    log, results = topics()
    assert judged(log, [results[0], *results]) == ["claims: claimed twice"] * 2


def test_a_result_of_another_account_or_with_another_id_is_caused_by_nothing() -> None:
    log, results = topics()
    for name in ("account_id", "event_id", "causation_id"):
        other = results[-1]._replace(fields={**results[-1].fields, name: "other"})
        assert "lane" in judged(log, [results[0], other])


def test_a_dead_letter_has_no_effect() -> None:
    log, results = topics()
    bad = log[0]._replace(fields={**log[0].fields, "currency": ""})
    assert judged([bad, *log[1:]], results)[0] == "dead: malformed_id"


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("claimed twice", "claims"),
        ("lost due item", "breaks"),
        ("maker is checker", "corrections"),
        ("score", "matches"),
    ],
)
def test_each_problem_belongs_to_a_check(name: str, check: str) -> None:
    assert check_of_wrong(name) == check
