"""The desk's own log: events are applied one by one, with what each has caused, and time at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.stream import apply
from pipeline.verify.model.match_defaults import DEFAULT_WEIGHTS
from pipeline.verify.model.match_judge import MatchJudge
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import Wrong

DAY = 86_400_000_000
LATER = 10**6 * DAY
"""Kafka's time: event time alone counts."""
ITEMS, RESULTS, COMMANDS = "reconciliation-items", "reconciliation-results", "ledger-commands"
Step = tuple[Record, list[Record], bool]
"""A record of the log, what it has caused (results, journals), and whether it is a dead letter."""


class DeskLog:
    """One partition of the desk, and the judge beside it."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.model = MatchJudge(DEFAULT_WEIGHTS)
        self.wrong: list[tuple[str, Wrong]] = []
        """What the judge says, and of which event."""
        self.said: list[Any] = []
        self.steps: list[Step] = []
        self.number = 0
        self.ahead: deque[Any] = deque()
        """What the desk has sent to its own log."""

    def tell(self, event: Any) -> None:
        """Apply an event, and what it sends to its own log."""
        self.step(event)
        while self.ahead:
            self.step(self.ahead.popleft())

    def step(self, event: Any) -> None:
        self.number += 1
        out, dead = Outbox(), False
        try:
            apply(event, Arrival(LATER, 0, 1, self.number), self.rows, out)
        except Reject:
            dead = True
        said = [(topic, one) for topic, _, one in out.items if one is not None]
        self.ahead.extend(one for topic, one in said if topic == ITEMS)
        self.said += [one for topic, one in said if topic == RESULTS]
        record = record_of(ITEMS, self.number, event)
        caused = [record_of(topic, self.number, one) for topic, one in said if topic in (RESULTS, COMMANDS)]
        self.steps.append((record, caused, dead))
        found = follow(self.model, self.steps[-1])
        self.wrong += [(str(event), wrong) for wrong in found]

    def until(self, day: int, begins: int, account_id: str = "nostro") -> None:
        """Let the branch's time go on to a day, a day each, and look at the end."""
        for now in range(begins, day + 1):
            fields = (f"tick-{now}", "", now * DAY + DAY // 2, "c", None, "$branch", 0)
            self.tell(ev.BranchTicked(*fields))
        self.wrong += [("the end", wrong) for wrong in self.model.end()]


def follow(model: MatchJudge, step: Step) -> list[Wrong]:
    """Let the judge follow a step; return what is wrong."""
    record, caused, dead = step
    results = [one for one in caused if one.topic == RESULTS]
    return model.follow(record, results, dead, [one for one in caused if one.topic == COMMANDS])


def names_of(steps: Iterable[Step]) -> set[str]:
    """Return the names of what is wrong with a log."""
    model = MatchJudge(DEFAULT_WEIGHTS)
    found = [wrong for step in steps for wrong in follow(model, step)]
    return {wrong.name for wrong in (*found, *model.end())}


def judge_log(log: DeskLog, events: Iterable[Any], days: int) -> None:
    """Tell a log some events, after which time goes on for some days."""
    last = 0
    for event in events:
        log.tell(event)
        last = event.occurred_at // DAY
    log.until(last + days, last + 1)


def record_of(topic: str, offset: int, event: Any) -> Record:
    """Return an event as the judge reads it."""
    fields = msgspec.to_builtins(event)
    return Record(topic, 0, offset, LATER // 1000, b"", b"", {}, type(event).__name__, fields, None)
