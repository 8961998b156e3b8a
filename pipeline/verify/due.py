"""The event time of a branch, and what falls due as it moves on: holds, held journals, limits.

What is due is taken by the commands that move the time, a bounded number by each. What ended before its time
stays in the queue here, so this is never ahead of the branch: what it says is due has been taken.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

TAKEN_MAX = 100
"""How much one command takes."""


class Due(NamedTuple):
    """Something that falls due."""

    time: int
    kind: str
    """hold, journal or limit."""
    tenant_id: str
    account_id: str
    id: str


class Clock:
    """The event time of one branch."""

    def __init__(self) -> None:
        self.now: int | None = None
        """Microseconds UTC; None before the first command that moves it."""
        self.behind = False
        """Whether a command has ever found more than it takes: what has been taken is then not known."""
        self._queue: list[Due] = []

    def add(self, due: Due) -> None:
        """Let something fall due."""
        heapq.heappush(self._queue, due)

    def move(self, seen: int) -> list[Due]:
        """Move the time on and return what has fallen due, in order."""
        self.now = seen if self.now is None else max(self.now, seen)
        taken: list[Due] = []
        while self._queue and self._queue[0].time <= self.now and len(taken) < TAKEN_MAX:
            taken.append(heapq.heappop(self._queue))
        self.behind = self.behind or len(taken) == TAKEN_MAX
        return taken
