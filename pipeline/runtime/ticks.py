"""Ticks: a branch to which nothing but time comes.

    every second, by partition: where its logs end -> [later] read and committed up to there?
        -> a tick of the time at which that was asked, in the next transaction of one of the upstreams' logs

What never changes: a tick never says a time by which a log had a record that the streams have not applied. It
is written by the task of a log in that task's transaction, with the offset that the task has committed. So
whoever has lost the partition cannot write one (`transactions`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from faust.types import TP

from pipeline.domain.kernel.events import BranchTicked
from pipeline.runtime.kafka.fetched import FetchState
from pipeline.runtime.problems import Problems

LOOK_EVERY_S = 1.0
MARGIN_US = 5_000_000
"""How much older a tick's time is than the question where logs end: clocks differ. The fraud stream lets no
tick go on that is ahead of its record."""
SECOND_US = 1_000_000


class Ticking(NamedTuple):
    """How the branches of a product get time."""

    topic: str
    """Where ticks go, on the branch's partition."""
    writers: Sequence[str]
    """Logs of upstreams, of which the first one that has ever been read writes the tick."""
    logs: Sequence[str]
    """All logs that must be read."""
    clocks: Mapping[str, Callable[[Any], int | None]]
    """By table, what says the event time of a branch by its rows, microseconds UTC; None: it has none yet."""
    left: Mapping[str, Callable[[Any], bool]]
    """By table, what says whether something is due that the last event has left: it takes so much at once."""


class Task(Protocol):
    """What a partition's task is to a ticker."""

    committed: int | None

    def say(self, topic: str, key: str, event: Any) -> bool:
        """Write an event of the worker's own; return whether it will be written."""


class TickHost(Protocol):
    """The worker whose branches get time."""

    problems: Problems

    def fetch_state(self, tp: TP) -> FetchState | None:
        """Return how far a log is fetched; None where it is not, or not yet."""

    def open_store(self, table: str, partition: int) -> Any | None:
        """Return the rows of a partition of a table, None where its database is not open here."""


class Mark(NamedTuple):
    """Where the logs of a branch ended at a look."""

    at_us: int
    """Nothing is missing that came before: the earliest time at which a broker was asked for one of the ends.
    That of the look is too late where a broker, the network or this process stood still."""
    ends: Mapping[TP, int]


def tick_of(branch: int, at_us: int) -> tuple[str, BranchTicked]:
    """Return the key and the event of a tick."""
    event_id, clock = str(uuid.uuid4()), f"$clock:{branch}"
    return f"/{clock}", BranchTicked(event_id, "", at_us, event_id, None, clock, branch)


class Ticker:
    """Gives the branches of a worker time. For its event loop alone."""

    def __init__(
        self,
        host: TickHost,
        running: Callable[[], Mapping[TP, Any]],
        ticking: Ticking,
        every_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`running`: the tasks of this worker now; `clock`: seconds UTC."""
        self._host = host
        self._running = running
        self._ticking = ticking
        self._every_us = every_s * SECOND_US
        self._clock = clock
        self._marks: dict[int, Mark] = {}
        self._ticked: dict[int, int] = {}
        """By partition, in which span of `every_s` it was given time. Spans are the clock's, the same for all
        partitions and workers, so that the logs of the whole application come to rest within one."""

    async def run(self) -> None:
        """Look until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Let every branch tick whose logs are read and whose time it is."""
        running, now_us = self._running(), int(self._clock() * SECOND_US)
        for number in sorted({tp.partition for tp in running}):
            tasks = {TP(log, number): running.get(TP(log, number)) for log in self._ticking.logs}
            mark = self._mark(tasks, now_us)
            if mark is None:
                self._marks.pop(number, None)
                continue
            known = self._marks.get(number)
            if known is None:
                self._marks[number] = mark
            elif self._are_read(known, tasks):
                self._marks[number] = mark
                self._tick(number, tasks, known.at_us - MARGIN_US, now_us)

    def _mark(self, tasks: Mapping[TP, Task | None], now_us: int) -> Mark | None:
        """Return where the logs of a branch end now; None where one of them is not read here, or not yet."""
        ends, at_us = {}, now_us
        for tp, task in tasks.items():
            state = None if task is None else self._host.fetch_state(tp)
            if state is None or state.asked_us is None:
                return None
            ends[tp], at_us = state.log_end, min(at_us, state.asked_us)
        return Mark(at_us, ends)

    def _are_read(self, mark: Mark, tasks: Mapping[TP, Task | None]) -> bool:
        for tp, task in tasks.items():
            state = self._host.fetch_state(tp)
            if task is None or state is None or state.reached(task.committed) < mark.ends[tp]:
                return False
        return True

    def _tick(self, number: int, tasks: Mapping[TP, Task | None], at_us: int, now_us: int) -> None:
        span = now_us // self._every_us
        if self._ticked.get(number) == span and not self._is_something_left(number):
            return
        if self._host.problems.any or self._is_there(number, at_us):
            return
        key, event = tick_of(number, at_us)
        for log in self._ticking.writers:
            task = tasks[TP(log, number)]
            if task is not None and task.say(self._ticking.topic, key, event):
                self._ticked[number] = span
                return

    def _is_something_left(self, number: int) -> bool:
        """Whether more is due than an event takes: many payments of one day, say. Then ticks do not wait."""
        for table, is_left in self._ticking.left.items():
            rows = self._host.open_store(table, number)
            if rows is not None and is_left(rows):
                return True
        return False

    def _is_there(self, number: int, at_us: int) -> bool:
        """Whether the event time of a branch has come to a time, by all of its clocks."""
        for table, event_time in self._ticking.clocks.items():
            rows = self._host.open_store(table, number)
            reached = None if rows is None else event_time(rows)
            if reached is None or reached < at_us:
                return False
        return True
