"""Dead letters that stand for a range of offsets: batches that nobody can read, and what was quarantined.

    letter of a range        <-> a batch that this reader could not read, either
    letter "quarantined"     <-> an action of an operator that covers it

What never changes: a range has one letter, and its offsets are in no other one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.verify.findings import Findings, Problem, about, at
from pipeline.verify.model.record import Record
from pipeline.verify.numbers import SHOWN_MAX, number_in

CHECK = "dead_letters"
HEADER = "__ledgerflow.errors."
QUARANTINED = "quarantined"

Log = tuple[str, int]
"""Topic and partition."""


class Range(NamedTuple):
    """A range of offsets, the last one included."""

    first: int
    last: int
    code: str
    letter: int
    """The offset of its dead letter."""


class Unread(NamedTuple):
    """A batch that could not be read."""

    first: int
    code: str


class Ranges:
    """All of them. Takes letters, what could not be read, and decisions, in any order."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._ranges: dict[Log, list[Range]] = {}
        self._unread: dict[Log, dict[int, Unread]] = {}
        """By log, from the last offset of a batch."""
        self._decided: dict[Log, list[tuple[int, int]]] = {}
        """By log, first offsets and the ends behind the last ones."""
        self._said: set[tuple[Log, int]] = set()

    def add(self, topic: str, partition: int, first: int, letter: Record) -> None:
        """Take in the dead letter of a range, in the order of their log."""
        code = letter.headers.get(HEADER + "code", b"").decode(errors="replace")
        said = letter.headers[HEADER + "last-offset"]
        last = number_in(said)
        known = self._ranges.setdefault((topic, partition), [])
        if last is None or last < first or (known and first <= known[-1].last):
            shown = said[:SHOWN_MAX].decode(errors="replace")
            text = f"names no range of {topic}[{partition}]: {first} to {shown}"
            self._findings.wrong(at(CHECK, letter, text))
            return
        known.append(Range(first, last, code, letter.offset))

    def decide(self, actions: Iterable[Mapping[str, Any]]) -> None:
        """Take in what operators have decided: the fields of their actions."""
        for fields in actions:
            if fields["action"] == "QUARANTINED":
                decided = self._decided.setdefault((fields["topic"], fields["partition"]), [])
                decided.append((fields["first_offset"], fields["end_offset"]))

    def pass_over(self, topic: str, partition: int, first: int, last: int, code: str) -> None:
        """Take note of a batch that could not be read; `code`: that of its dead letter."""
        self._unread.setdefault((topic, partition), {})[last] = Unread(first, code)

    def cover(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a record is in a range that is a dead letter."""
        ranges = self._ranges.get((topic, partition))
        if not ranges:
            return False
        place = bisect_right(ranges, offset, key=lambda one: one.first) - 1
        return place >= 0 and offset <= ranges[place].last

    def finish(
        self, logs: Container[str], before: Mapping[Log, int] | None, begins: Mapping[Log, int]
    ) -> None:
        """Say what does not fit together. `before`: offsets by which a letter must be there (None: all);
        `begins`: the first offsets of logs that have lost their beginning: earlier letters stand alone."""
        for log, batches in self._unread.items():
            for last, (first, _) in batches.items():
                if log[0] not in logs:
                    self._say(log, last, f"offsets {first} to {last} cannot be read")
                elif (before is None or last < before[log]) and not self.cover(*log, last):
                    self._say(log, last, f"offsets {first} to {last} cannot be read, and are no dead letter")
        for log, ranges in self._ranges.items():
            for one in ranges:
                if one.last >= begins.get(log, 0):
                    self._judge(log, one)

    def _judge(self, log: Log, one: Range) -> None:
        if one.code == QUARANTINED:
            decided = self._decided.get(log, ())
            if any(first <= one.first and one.last < end for first, end in decided):
                return
            text = "nobody has quarantined that"
        elif (unread := self._unread.get(log, {}).get(one.last)) is not None:
            if unread.code == one.code:
                return
            text = f"it is {unread.code}"
        else:
            text = "that can be read"
        if (log, -one.letter) not in self._said:
            self._said.add((log, -one.letter))
            text = f"of {log[0]}[{log[1]}]@{one.first} to {one.last}: {one.code}, but {text}"
            self._findings.wrong(Problem(CHECK, "dead-letters", log[1], one.letter, text))

    def _say(self, log: Log, last: int, text: str) -> None:
        if (log, last) not in self._said:
            self._said.add((log, last))
            self._findings.wrong(about(CHECK, f"{log[0]}[{log[1]}]: {text}"))
