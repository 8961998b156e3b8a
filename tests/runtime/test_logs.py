"""The log of a worker is bounded by the number of places that log, not by how often they do."""

from __future__ import annotations

import logging

from pipeline.runtime.logs import RateLimit


def record(line: int, created: float) -> logging.LogRecord:
    made = logging.LogRecord("any", logging.ERROR, "any.py", line, "broken", (), None)
    made.created = created
    return made


def test_a_place_that_logs_without_end_is_heard_once_a_second() -> None:
    limit = RateLimit()
    written = [limit.filter(record(1, number / 100)) for number in range(250)]
    assert [number for number, passed in enumerate(written) if passed] == [0, 100, 200]


def test_another_place_is_not_silenced() -> None:
    limit = RateLimit()
    assert limit.filter(record(1, 0.0))
    assert limit.filter(record(2, 0.0))
