"""An endless run waits for the ledger: what is days late would be a break that nobody planted."""

from __future__ import annotations

import threading
import time
from itertools import islice
from typing import Any

import pytest

from pipeline.loadgen import Produce, demo, hearing
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.plan import GRACE_US, SECOND_US
from pipeline.loadgen.receipts import AHEAD_US_MAX
from pipeline.loadgen.watches import Hearer
from tests.simulated_cluster import ENCODE

NOW = 1_790_000_000 * SECOND_US
RATE = 20


def begun() -> TrafficGenerator:
    traffic = TrafficGenerator(demo(3, NOW, rate=RATE, break_per_mille=0.0), ENCODE, {})
    list(traffic.opening())
    return traffic


def until_ahead(traffic: TrafficGenerator, steps: Any) -> list[Produce]:
    """Return what is sent until the run is ahead of its answers, at most 20,000 records."""
    sent = []
    for produce in islice(steps, 20_000):
        sent.append(produce)
        if traffic.is_ahead:
            break
    return sent


def test_a_run_is_ahead_after_half_a_grace_period_without_an_answer() -> None:
    traffic = begun()
    traffic.pace.answers.is_read = True
    begins, steps = traffic.at, traffic.steps()
    sent = until_ahead(traffic, steps)
    assert traffic.is_ahead and AHEAD_US_MAX < traffic.at - begins < AHEAD_US_MAX + GRACE_US // 4
    for produce in sent:  # a posting or a line of another key says nothing, nor does another payment
        traffic.pace.answers.heard(b"other/account", produce.value)
    assert traffic.is_ahead
    paid = [produce for produce in sent if produce.topic == "payments"]
    for produce in paid[: len(paid) // 2]:
        traffic.pace.answers.heard(produce.key, produce.value)
    reached = traffic.at
    assert not traffic.is_ahead
    until_ahead(traffic, steps)
    assert traffic.is_ahead and traffic.at > reached + AHEAD_US_MAX // 3
    traffic.give_up()
    assert not traffic.is_ahead


def test_a_run_whose_answers_nobody_reads_is_never_ahead() -> None:
    traffic = begun()
    assert len(until_ahead(traffic, traffic.steps())) == 20_000 and not traffic.is_ahead


class Log:
    """A topic that says what it is given."""

    def __init__(self, topic: str, awaited: Hearer) -> None:
        self.topic, self._awaited, self.looks = topic, awaited, 0
        self.says: list[tuple[bytes | None, bytes | None]] = []
        self.heard_at = time.monotonic()
        awaited.is_read = True

    def hear(self) -> None:
        self.looks += 1
        if self.looks > 2:
            for key, value in self.says:
                self._awaited.heard(key, value)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *exc: object) -> None:
        self._awaited.is_read = False


def heard_by(traffic: TrafficGenerator, logs: list[Log]) -> hearing.Hearing:
    """Return what hears of a run by logs, which it adds to `logs`."""

    def watch(topic: str, awaited: Hearer) -> Any:
        logs.append(Log(topic, awaited))
        return logs[-1]

    return hearing.Hearing(traffic, watch, threading.Event())


def test_the_run_waits_until_it_hears_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LOOK_S", 0.0)
    traffic, logs, waits = begun(), list[Log](), list[int]()
    with heard_by(traffic, logs) as heard:
        sent = until_ahead(traffic, traffic.steps())
        logs[1].says = [(produce.key, produce.value) for produce in sent if produce.topic == "payments"]
        assert heard.hear(lambda: waits.append(1)) > 0 and len(waits) == 2 and not traffic.is_ahead
        heard_of = ["fraud-commands", "payment-events", "reconciliation-results"]
        assert [log.topic for log in logs] == heard_of
        assert heard.hear(lambda: waits.append(1)) >= 0 and len(waits) == 2
    assert not traffic.receipts.is_read and not traffic.pace.answers.is_read


def test_a_ledger_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LOOK_S", 0.0)
    traffic, logs = begun(), list[Log]()
    with heard_by(traffic, logs) as heard:
        until_ahead(traffic, traffic.steps())
        logs[1].heard_at -= 2 * hearing.ANSWERS_WITHIN_S
        heard.hear(lambda: None)
        assert not traffic.is_ahead and logs[1].looks == 1
