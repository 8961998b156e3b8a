"""What keeps a worker from its work: told while it lasts, since when, and never too much of it."""

from __future__ import annotations

from pipeline.runtime.problems import SHOWN_MAX, Problem, Problems


def test_a_problem_lasts_until_whoever_found_it_says_it_no_more() -> None:
    now = [0.0]
    problems = Problems(clock=lambda: now[0])
    assert not problems.any
    problems.hold("topic_settings", {"payments": "retention.ms is 1\nnot -1", "trades": "gone"})
    problems.hold("broker_silent", {"Kafka": "no answer"})
    now[0] = 60.0
    problems.hold("topic_settings", {"payments": "retention.ms is 2, not -1", "prices": "gone"})
    assert problems.now() == [
        Problem("broker_silent", "Kafka", "no answer", "1970-01-01T00:00:00Z"),
        Problem("topic_settings", "payments", "retention.ms is 2, not -1", "1970-01-01T00:00:00Z"),
        Problem("topic_settings", "prices", "gone", "1970-01-01T00:01:00Z"),
    ]
    assert problems.counts() == {"broker_silent": 1, "topic_settings": 2}
    problems.hold("topic_settings", {})
    problems.hold("broker_silent", {})
    assert (problems.any, problems.now()) == (False, [])


def test_a_detail_is_one_line_and_the_list_is_short() -> None:
    problems = Problems()
    problems.hold("topic_missing", {f"topic-{number}": "gone\nfor ever" for number in range(SHOWN_MAX + 5)})
    assert len(problems.now()) == SHOWN_MAX
    assert {problem.detail for problem in problems.now()} == {"gone for ever"}
    assert problems.counts() == {"topic_missing": SHOWN_MAX + 5}
