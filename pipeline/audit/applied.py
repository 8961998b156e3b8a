"""Invariant 3, where it could break: every record of a log is taken once, applied or a dead letter.

a task's counts now and a moment later -> the log between the two, read by another client
                                       -> as many records, and a dead letter for each that was refused
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from faust.types import TP

from pipeline.audit.findings import Finding, Say
from pipeline.audit.log import Log
from pipeline.runtime.kafka.dead_letters import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.task import Counted, PartitionTask

MOVES_WITHIN_S = 0.5
COMMITTED_WITHIN_S = 5.0
POLL_S = 0.02
SPAN_MAX = 50_000
"""Offsets that are read at most, of the log and of the dead letters."""


class AppliedAudit:
    """Looks at one partition after another."""

    def __init__(
        self,
        log: Log,
        say: Say,
        running: Callable[[], Mapping[TP, PartitionTask]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log = log
        self._say = say
        self._running = running
        self._sleep = sleep
        self._turn = 0

    def step(self) -> bool:
        """Look at the next partition; return whether there was something to compare."""
        tasks = sorted(self._running().items())
        if not tasks:
            return False
        self._turn = (self._turn + 1) % len(tasks)
        tp, task = tasks[self._turn]
        letters_from = self._log.ends(DEAD_LETTERS, committed=False)[tp.partition]
        first = task.counted
        if first is None:
            return False
        second = self._moved(task, first)
        if second is None or second.end - first.end > SPAN_MAX or not self._committed(tp, task, second):
            return False
        self._compare(tp, first, second, letters_from)
        return True

    def _moved(self, task: PartitionTask, first: Counted) -> Counted | None:
        """Return the counts once they have changed, None where they do not."""
        for _ in range(round(MOVES_WITHIN_S / POLL_S)):
            self._sleep(POLL_S)
            second = task.counted
            if second is not None and second.end > first.end:
                return second
        return None

    def _committed(self, tp: TP, task: PartitionTask, counted: Counted) -> bool:
        """Wait until what was counted is committed; False where the partition went away meanwhile."""
        for _ in range(round(COMMITTED_WITHIN_S / POLL_S)):
            if self._running().get(tp) is not task:
                return False
            if (task.committed or 0) >= counted.end:
                return True
            self._sleep(POLL_S)
        return False

    def _compare(self, tp: TP, first: Counted, second: Counted, letters_from: int) -> None:
        records = self._log.read(tp.topic, tp.partition, first.end, second.end)
        letters_to = self._log.ends(DEAD_LETTERS, committed=False)[tp.partition]
        if letters_to - letters_from > SPAN_MAX:
            return
        buried = []
        for letter in self._log.read(DEAD_LETTERS, tp.partition, letters_from, letters_to):
            said = letter.headers
            place = (said.get(HEADER_TOPIC), said.get(HEADER_PARTITION))
            offset = int(said.get(HEADER_OFFSET, b"-1"))
            if place == (tp.topic.encode(), str(tp.partition).encode()) and first.end <= offset < second.end:
                buried.append(offset)
        refused = second.dead_letters - first.dead_letters
        expected = f"{len(records)} records, {refused} of them dead letters"
        taken = second.applied - first.applied
        known = {record.offset for record in records}
        if (
            taken != len(records)
            or len(buried) != refused
            or not known.issuperset(buried)
            or (len(set(buried)) != len(buried))
        ):
            found = f"{taken} taken, {len(set(buried) & known)} dead letters of them, {len(buried)} in all"
            about = f"{first.end}\0{second.end}"
            self._say(Finding("applied", tp.topic, tp.partition, first.end, expected, found, about=about))
