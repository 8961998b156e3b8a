"""Rules that keep all they know in rows, as a stream over files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pipeline.backtest.matching.ordered_rows import OrderedRows
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

LOG = "reconciliation-items"
"""What the stream reads: what it sends there comes back to it, before anything else."""


class Rules(Protocol):
    """What a stream does with an event."""

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        """Apply an event to rows."""
        ...


class OverRows:
    """Rules over rows in memory (`streams.Stream`)."""

    def __init__(
        self,
        rules: Rules,
        days_after: int,
        time_passes: Callable[[int], Iterable[Any]],
        first: Iterable[Any] = (),
    ) -> None:
        """`days_after`: days after the last item until all is due. `time_passes` returns the events that say
        that a time has come, microseconds UTC. `first`: events before all others, such as weights.
        """
        self._rules, self._days_after, self._time_passes = rules, days_after, time_passes
        self._rows = OrderedRows()
        self._last_at = 0
        for event in first:
            self._apply(event)

    def apply(self, event: Any) -> list[Any]:
        """Apply an event, and all that it gives rise to on the stream's own log; return what is emitted.

        Where nothing has come for more than a day, time moves on to it a day at a time, as it does for a
        stream that runs meanwhile.
        """
        said: list[Any] = []
        while 0 < self._last_at < event.occurred_at - MICROSECONDS_PER_DAY:
            said += self._a_day_later()
        return said + self._apply(event)

    def _apply(self, event: Any) -> list[Any]:
        self._last_at = max(self._last_at, event.occurred_at)
        log = deque([event])
        said: list[Any] = []
        while log:
            out = Outbox()
            self._rules.apply(log.popleft(), Arrival(self._last_at, 0, 1), self._rows, out)
            for topic, _, one in out.items:
                (log if topic == LOG else said).append(one)
        return said

    def end(self) -> Iterator[list[Any]]:
        """Let time move on a day at a time until all is due; yield what is emitted."""
        for _ in range(self._days_after):
            yield self._a_day_later()

    def _a_day_later(self) -> list[Any]:
        at_us = self._last_at + MICROSECONDS_PER_DAY
        return [one for event in self._time_passes(at_us) for one in self._apply(event)]
