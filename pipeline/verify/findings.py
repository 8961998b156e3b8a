"""What comparisons find: problems by check, and how many things were looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from pipeline.verify.model.record import Record


class Problem(NamedTuple):
    """What is wrong, and the first record where it shows; the offset is -1 where there is none."""

    check: str
    topic: str
    partition: int
    offset: int
    text: str
    timestamp_ms: int = 0
    """Kafka's time of that record; 0 where there is none."""

    @property
    def said(self) -> str:
        """The problem without its check."""
        return f"{self.topic}[{self.partition}]@{self.offset}: {self.text}" if self.topic else self.text

    def __str__(self) -> str:
        return f"{self.check}: {self.said}"


class Findings(Protocol):
    """Where comparisons say what they find."""

    def count(self, check: str, things: int = 1) -> None:
        """Say that so many more things were looked at."""
        ...

    def wrong(self, problem: Problem) -> None:
        """Say what is wrong."""
        ...


def at(check: str, record: Record, text: str) -> Problem:
    """Return the problem that a record shows."""
    return Problem(check, record.topic, record.partition, record.offset, text, record.timestamp_ms)


def about(check: str, text: str) -> Problem:
    """Return a problem that no single record shows."""
    return Problem(check, "", -1, -1, text)


def first_of(problems: Iterable[Problem]) -> Problem | None:
    """Return the problem of the earliest record, by Kafka's time; if none names a record, the first one."""
    return min(problems, key=lambda found: found.timestamp_ms or math.inf, default=None)
