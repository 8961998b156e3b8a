"""A partition's results beside its log: each goes with its cause, and what nothing has caused is found."""

from __future__ import annotations

from pipeline.verify.findings import Problem
from pipeline.verify.matching import caused, judge
from pipeline.verify.model.record import Record
from tests.reconciliation_judge.tales import tales
from tests.reconciliation_judge.words import DEFAULT

TALE = """
tale: a pair, and one that is claimed twice
    5 posting P1 -100 ref=INV7
    6 line S1/1 -100 ref=INV7
      match REFERENCE S1/1 P1 amount=-100
    7 line S1/2 -100 ref=INV7
      match REFERENCE S1/2 P1 amount=-100
    45 continued
"""


class Found:
    """Findings as a list."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.things = 0

    def count(self, check: str, things: int = 1) -> None:
        self.things += things

    def wrong(self, problem: Problem) -> None:
        self.problems.append(problem)


def topics() -> tuple[list[Record], list[Record]]:
    (tale,) = tales(TALE)
    return [step.record for step in tale.steps], [one for step in tale.steps for one in step.results]


def test_results_go_with_their_causes_in_order() -> None:
    log, results = topics()
    assert [len(found) for _, found in caused(log, results)] == [0, 1, 1, 0]


def test_a_result_that_nothing_has_caused_is_found() -> None:
    log, results = topics()
    found = Found()
    judge(log[:2], results, found, default_weights=DEFAULT)
    assert [problem.text.partition(":")[0] for problem in found.problems] == ["cause"]


def test_each_problem_names_the_record_where_it_shows() -> None:
    log, results = topics()
    found = Found()
    judge(log, results, found, default_weights=DEFAULT)
    assert [(one.topic, one.offset, one.text.partition(":")[0]) for one in found.problems] == [
        ("reconciliation-results", results[1].offset, "claimed twice"),
    ]
    assert found.things == len(log)


def test_a_dead_letter_has_no_effect() -> None:
    log, results = topics()
    found = Found()
    judge(log, results[:1], found, is_dead=lambda record: record is log[0], default_weights=DEFAULT)
    names = [one.text.partition(":")[0] for one in found.problems]
    assert names == ["unknown item", "sides", "lost due item"]
