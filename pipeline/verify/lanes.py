"""What must come out beside what did, one topic of one partition at a time, both as they come.

    expected, expected, ... | record, record, ... -> what differs      (of compacted topics: `versions`)

It goes on where it has stopped: a caller that reads a growing log compares only what is new. Where the two
sides differ, a lane looks for the next place where they go on together, so that one lost record is one
problem. What never changes: a record is taken for one expected event, and an event for one record.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Iterator

from pipeline.verify.findings import Findings, Problem, at
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import Expected

WINDOW = 64
"""How far apart the two sides are looked for each other, in records."""
PROBLEMS_MAX = 20
"""After so many problems a lane is not compared any further: what follows are consequences."""
REMEMBERED = 2_000
"""Records of a lane whose ids tell a repeated one from one that nothing has caused."""

CheckOf = Callable[[Record | Expected], str]
"""From an event to the check that it belongs to."""


def difference(actual: Record, expected: Expected, older: bool = False) -> str | None:
    """Return in what a record differs from what is expected, or None.

    `older`: what a record does not have may be what the version of its schema does not know.
    """
    if actual.key != expected.key:
        return f"key {actual.key!r} instead of {expected.key!r}"
    if expected.value is not None:
        return None if actual.value == expected.value else "other bytes than those of its source"
    if actual.event != expected.event:
        return f"{actual.event or actual.fault} instead of {expected.event}"
    if actual.fields == expected.fields:
        return None
    for name, value in expected.fields.items():
        if actual.fields.get(name, value if older else None) != value:
            return f"{expected.event}.{name} is {actual.fields.get(name)!r} instead of {value!r}"
    return None


class Lane:
    """Every event of one source, in order, beside the records of one topic and partition."""

    def __init__(
        self, findings: Findings, check_of: CheckOf, actual: Iterator[Record], older: bool = False
    ) -> None:
        """`actual` may end and go on later."""
        self._findings = findings
        self._check_of = check_of
        self._source = actual
        self._older = older
        self._actual: deque[Record] = deque()
        self._expected: deque[Expected] = deque()
        self._met: deque[object] = deque(maxlen=REMEMBERED)
        self._lost: deque[Expected] = deque(maxlen=WINDOW)
        """What was missing lately; it may come later."""
        self._problems = 0
        self._counts: Counter[str] = Counter()
        """How many were compared since the last `finish`, by check."""

    def expect(self, wanted: Expected) -> None:
        """Expect an event after those before."""
        if not self._expected and self._fill(1) and difference(self._actual[0], wanted, self._older) is None:
            return self._meet(self._actual.popleft(), wanted)
        self._expected.append(wanted)
        if len(self._expected) >= 2 * WINDOW and self._fill(1):
            self._settle()

    def find(self, ahead: int, matches: Callable[[Record], bool], sure: bool = False) -> Record | None:
        """Return the record that stands so far behind those that are accounted for, if it matches.

        Where the two sides differ just now, or `sure` (there must be one), it may stand elsewhere near by.
        """
        if not self._expected and self._fill(ahead + 1) and matches(self._actual[ahead]):
            return self._actual[ahead]
        if not self._expected and not sure:
            return None
        self._fill(WINDOW)
        return next((record for record in self._actual if matches(record)), None)

    def finish(self, least: int | None = None, causes: Container[str | None] = ()) -> None:
        """Say what is missing and what is too much. `least`: what is caused by later offsets may be under
        way (None: nothing may); `causes`: ids of events that are not followed yet."""
        while self._expected and self._fill(1):
            self._settle()
        lost = [wanted for wanted in self._expected if least is None or wanted.source < least]
        if lost:
            first = lost[0]
            text = f"lost tail: {len(lost)} records, first {first.event} of {first.key.decode()}"
            text += f", caused by offset {first.source}"
            check = self._check_of(first)
            self._findings.wrong(Problem(check, first.topic, -1, -1, text))
            self._expected.clear()
        while not self._expected and self._fill(1) and not self._is_by(causes):
            self._wrong(self._actual.popleft(), None)
        for check, count in self._counts.items():
            self._findings.count(check, count)
        self._counts.clear()

    def _is_by(self, causes: Container[str | None]) -> bool:
        """Whether the next record is caused by one of these events; a continuation may name none."""
        cause = self._actual[0].fields.get("causation_id")
        return bool(causes) and (cause is None or cause in causes)

    def _fill(self, count: int) -> bool:
        """Read on until so many records wait; False where there are not so many yet."""
        while len(self._actual) < count:
            record = next(self._source, None)
            if record is None:
                return False
            self._actual.append(record)
        return True

    def _meet(self, record: Record, wanted: Expected) -> None:
        self._counts[self._check_of(wanted)] += 1
        self._met.append(record.fields.get("event_id") or record.value)

    def _settle(self) -> None:
        """Compare what waits on both sides, up to the next place where they go on together."""
        while self._expected and self._fill(1):
            text = difference(self._actual[0], self._expected[0], self._older)
            if text is not None:
                return self._part(text)
            self._meet(self._actual.popleft(), self._expected.popleft())

    def _part(self, text: str) -> None:
        """Say in what the two sides differ, and leave out what has no counterpart."""
        self._fill(WINDOW)
        extra, missing = self._together()
        for _ in range(min(extra, missing)):  # records stand in the place of others
            record, wanted = self._actual.popleft(), self._expected.popleft()
            self._wrong(record, wanted, difference(record, wanted, self._older) or text)
        for _ in range(extra - missing):
            self._wrong(self._actual.popleft(), None)
        for _ in range(missing - extra):
            wanted = self._expected.popleft()
            there = self._actual[0] if self._actual else None
            self._missing(wanted, there)

    def _together(self) -> tuple[int, int]:
        """Return how many records and how many expected events to leave out, as few as possible."""
        if self._problems < PROBLEMS_MAX:
            for out in range(1, 2 * WINDOW):
                for extra in range(out + 1):
                    missing = out - extra
                    if extra < min(WINDOW, len(self._actual)) and missing < min(WINDOW, len(self._expected)):
                        wanted = self._expected[missing]
                        if difference(self._actual[extra], wanted, self._older) is None:
                            return extra, missing
        return 1, 1

    def _wrong(self, record: Record, wanted: Expected | None, text: str = "") -> None:
        identity = record.fields.get("event_id") or record.value
        if identity in self._met:
            text = "duplicate of an earlier record"
        elif any(difference(record, lost, self._older) is None for lost in self._lost):
            text = "out of order: it was expected before"
        elif wanted is None:
            text = f"{record.event or record.fault} that nothing has caused"
        self._say(at(self._check_of(wanted or record), record, text))

    def _missing(self, wanted: Expected, there: Record | None) -> None:
        text = f"gap: the {wanted.event} of {wanted.key.decode()} caused by offset {wanted.source} is missing"
        check = self._check_of(wanted)
        self._lost.append(wanted)
        self._say(at(check, there, text) if there else Problem(check, wanted.topic, -1, -1, text))

    def _say(self, problem: Problem) -> None:
        self._problems += 1
        if self._problems <= PROBLEMS_MAX:
            self._findings.wrong(problem)
