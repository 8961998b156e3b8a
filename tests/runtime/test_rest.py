"""How long one waits for the streams to come to rest: longer for as long as they get on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pipeline.runtime.kafka.rest import Patience

TIMEOUT_S = 10.0


class Wait:
    """A wait by a clock of its own; a step is what a look finds, and the seconds until the next one."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watch: Any = SimpleNamespace(upstream_ends={("payments", 0): 100}, committed=0)
        self.patience = Patience(self.watch, TIMEOUT_S, lambda: self.now)

    def is_over(self, after_s: float, committed: int = 0, upstream: int = 0) -> bool:
        """Look after some seconds in which the streams have committed and upstreams written so much."""
        self.now += after_s
        self.watch.committed += committed
        self.watch.upstream_ends = {("payments", 0): self.watch.upstream_ends["payments", 0] + upstream}
        return self.patience.is_over()


def test_streams_that_hang_are_given_up() -> None:
    wait = Wait()
    assert [wait.is_over(4.0) for _ in range(3)] == [False, False, True]


def test_streams_that_get_on_are_waited_for_however_slow_they_are() -> None:
    wait = Wait()
    assert not any(wait.is_over(9.0, committed=1) for _ in range(100))
    assert not wait.is_over(9.0)
    assert wait.is_over(1.0)


def test_an_upstream_that_never_ends_is_given_up_although_the_streams_get_on() -> None:
    wait = Wait()
    found = [wait.is_over(3.0, committed=5, upstream=5) for _ in range(5)]
    assert found == [False, False, False, True, True]


def test_an_upstream_that_has_written_once_more_is_given_the_time_that_was_said() -> None:
    wait = Wait()
    assert not wait.is_over(1.0, committed=5)
    assert not wait.is_over(1.0, committed=5)
    assert not wait.is_over(5.0, committed=5, upstream=1)
    assert wait.is_over(5.0, committed=5)
