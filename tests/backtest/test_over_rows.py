"""Rules over rows in memory: what they send to their own log comes back; time goes on by days."""

from __future__ import annotations

from typing import Any

from pipeline.backtest.matching.desk import ticks
from pipeline.backtest.matching.over_rows import LOG, OverRows
from pipeline.domain.kernel.outbox import Arrival, Outbox


class Continuing:
    """Rules that go on by their own log: each event is three."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        number = int((rows.get(b"n") or b"0").decode()) + 1
        rows.put(b"n", str(number).encode())
        self.heard.append((event.occurred_at, at.recorded_at))
        out.emit("reconciliation-results", "", number)
        if number % 3:
            out.emit(LOG, "", event)


def test_what_is_sent_to_the_log_comes_back_before_anything_else() -> None:
    day = 86_400_000_000
    rules = Continuing()
    (first,), (event,) = ticks(0), ticks(5)
    stream = OverRows(rules, 2, ticks, [first])
    assert stream.apply(event) == [4, 5, 6]
    assert list(stream.end()) == [[7, 8, 9], [10, 11, 12]]
    assert rules.heard[::3] == [(0, 0), (5, 5), (5 + day, 5 + day), (5 + 2 * day, 5 + 2 * day)]


def test_time_moves_on_a_day_at_a_time_where_nothing_comes() -> None:
    day = 86_400_000_000
    rules = Continuing()
    stream = OverRows(rules, 0, ticks)
    for at_us in (7, 7 + day, 8 + 3 * day):
        (event,) = ticks(at_us)
        stream.apply(event)
    assert [at for at, _ in rules.heard[::3]] == [7, 7 + day, 7 + 2 * day, 7 + 3 * day, 8 + 3 * day]
