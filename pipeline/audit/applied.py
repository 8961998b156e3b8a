"""Invariant 3: every record of a log is applied or a dead letter, exactly once.

a task's counters at two moments -> the log between their offsets, read by another client
                                 -> must hold as many records, and a dead letter for each refused one
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from faust.types import TP

from pipeline.audit.findings import Finding, Report
from pipeline.runtime.kafka.cluster_log import Log
from pipeline.runtime.kafka.dead_letters import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.streams import Counted
from pipeline.runtime.task import PartitionTask

MOVES_WITHIN_S = 0.5
COMMITTED_WITHIN_S = 5.0
POLL_S = 0.02
SPAN_MAX = 50_000
"""Most offsets that are read, of the log and of the dead letters."""


class AppliedAudit:
    """Checks one partition after another. For one thread."""

    def __init__(
        self,
        log: Log,
        report: Report,
        running: Callable[[], Mapping[TP, PartitionTask]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log = log
        self._report = report
        self._running = running
        self._sleep = sleep
        self._turn = 0

    def step(self) -> bool:
        """Check the next partition; return whether there was something to compare. Raises LogReadError."""
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
        if second.unread != first.unread:
            return False  # what is in a batch that cannot be read, no client can count
        self._compare(tp, first, second, letters_from)
        return True

    def _moved(self, task: PartitionTask, first: Counted) -> Counted | None:
        """Return the counters once they have changed, None if they do not change in time."""
        for _ in range(round(MOVES_WITHIN_S / POLL_S)):
            self._sleep(POLL_S)
            second = task.counted
            if second is not None and second.end > first.end:
                return second
        return None

    def _committed(self, tp: TP, task: PartitionTask, counted: Counted) -> bool:
        """Wait until the counted records are committed; False if the partition moved or it takes too long."""
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
        letters = []
        for letter in self._log.read(DEAD_LETTERS, tp.partition, letters_from, letters_to):
            headers = letter.headers
            place = (headers.get(HEADER_TOPIC), headers.get(HEADER_PARTITION))
            offset = int(headers.get(HEADER_OFFSET, b"-1"))
            if place == (tp.topic.encode(), str(tp.partition).encode()) and first.end <= offset < second.end:
                letters.append(offset)
        refused = second.dead_letters - first.dead_letters
        expected = f"{len(records)} records, {refused} of them dead letters"
        taken = second.applied - first.applied
        known = {record.offset for record in records}
        if (
            taken != len(records)
            or len(letters) != refused
            or not known.issuperset(letters)
            or (len(set(letters)) != len(letters))
        ):
            found = f"{taken} taken, {len(set(letters) & known)} dead letters of them, {len(letters)} in all"
            about = f"{first.end}\0{second.end}"
            self._report(Finding("applied", tp.topic, tp.partition, first.end, expected, found, about=about))
