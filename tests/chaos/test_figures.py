"""Figures of chaos runs: what kind a problem is, and how runs add up."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.figures import figures, kind_of, percentile
from tests.chaos.run import Outcome
from tests.chaos.schedule import Strike


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("model: postings[0]@3: gap: the PostingRecorded caused by offset 2 is missing", "lost"),
        ("model: postings[0]@3: lost tail: 2 records", "lost"),
        ("dead_letters: trades[0]@2: neither applied nor a dead letter; must be one: no_key", "lost"),
        ("model: postings[0]@3: duplicate of an earlier record", "duplicated"),
        ("dead_letters: dead-letters[0]@3: second dead letter of x", "duplicated"),
        ("model: postings[0]@3: out of order or not expected: key", "reordered"),
        ("running_balance: postings[0]@3: balance 4 of x, not 5", "wrong"),
    ],
)
def test_a_problem_says_what_kind_it_is(problem: str, kind: str) -> None:
    assert kind_of(problem) == kind


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([], 0.95) == 0.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(number) for number in range(1, 101)], 0.95) == 95.0


def test_runs_add_up_and_the_worst_of_each_is_kept() -> None:
    strikes = [Strike(8.0, "kill", 0, 1), Strike(30.0, "zombie", 1, 2)]
    lost = ["model: postings[0]@3: lost tail: 2 records"]
    one = Outcome(1, 60.0, strikes, 100, 5, [], None, Counter({-9: 1}), [4.0], 3.0, 50)
    other = Outcome(2, 90.0, strikes[:1], 200, 7, lost, lost[0], Counter({-9: 2, 70: 1}), [5.0, 9.0], 2.0, 80)
    found = figures([one, other])
    assert (found["seeds"], found["minutes"], found["records"], found["dead_letters"]) == (
        [1, 2],
        2.5,
        300,
        12,
    )
    assert found["faults"] == {"kill": 2, "zombie": 1}
    assert (found["lost"], found["duplicated"], found["reordered"], found["wrong"]) == (1, 0, 0, 0)
    assert found["recovered_s"] == {"count": 3, "median": 5.0, "p95": 9.0, "max": 9.0}
    assert (found["converged_s_max"], found["lag_max"]) == (3.0, 80)
    assert found["exits"] == {"-9": 3, "70": 1}
    assert found["problems"] == lost
