"""An open transaction of an upstream holds a log back: since when, whose it is, and what follows from it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from pipeline.runtime.faults import Fault
from pipeline.runtime.kafka.fetched import FetchState
from pipeline.runtime.kafka.open_transactions import OpenTransaction, Start
from pipeline.runtime.problems import Problems
from pipeline.runtime.stable import StableAlarm, StableWatch
from pipeline.web.health import ready

PLACE, OTHER = TP("payments", 1), TP("payments", 2)
BOUND_S = 60.0
THEIRS = OpenTransaction(
    4711, 3, (Start("payments", 1, 12), Start("trades", 0, 5)), "pay\x1b[31m-7", 1_790_000_000_000, 900_000
)
LATER = OpenTransaction(4712, 0, (Start("payments", 1, 14),), "another")


class Worker:
    """A worker whose logs stand where a test says, with a clock of its own."""

    def __init__(self, found: list[OpenTransaction] | None = None) -> None:
        self.now = 1_000.0
        self.states = {PLACE: FetchState(12, None, 12), OTHER: FetchState(7, None, 7)}
        self.problems = Problems()
        self.told: list[Fault] = []
        self.faults: Any = SimpleNamespace(report=self.told.append)
        self.connection: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.found = found
        self.watch = StableWatch(lambda: self.states, self.fetch_state, lambda: self.now)
        self.alarm = StableAlarm(self, self.watch, BOUND_S, self.ask)

    def fetch_state(self, tp: TP) -> FetchState | None:
        return self.states.get(tp)

    def ask(self, topics: Any) -> list[OpenTransaction]:
        self.asked.append(dict(topics))
        if self.found is None:
            raise KafkaConnectionError("no answer")
        return self.found

    def after(self, seconds: float) -> bool:
        """Let time pass, and look; return whether a log waits for too long."""
        self.now += seconds
        return self.alarm.step()


def test_a_log_that_waits_has_an_age_and_a_log_that_moves_has_none() -> None:
    worker = Worker([])
    worker.states[PLACE] = FetchState(12, None, 15)
    worker.after(0)
    worker.after(10)
    assert (worker.watch.age_s(PLACE), worker.watch.age_s(OTHER)) == (10.0, 0.0)
    worker.states[PLACE] = FetchState(13, None, 15)  # one transaction has ended, another is open
    worker.after(5)
    assert worker.watch.age_s(PLACE) == 0.0
    worker.states[PLACE] = FetchState(15, None, 15)
    worker.after(100)
    assert worker.watch.age_s(PLACE) == 0.0 and not worker.asked


def test_above_the_bound_the_oldest_producer_is_named_once_and_the_command_that_ends_it() -> None:
    worker = Worker([LATER, THEIRS])
    worker.states[PLACE] = FetchState(12, None, 15)
    assert not worker.after(0) and not worker.after(BOUND_S)
    assert worker.after(1) and worker.after(5)
    assert worker.asked == [{"payments": [1]}] * 2
    (problem,) = worker.problems.now()
    assert (problem.name, problem.subject) == ("transaction_open", "payments[1]")
    assert "from offset 12 on" in problem.detail and "producer 4711, epoch 3" in problem.detail
    assert "open since 2026-09-21T14:13:20Z, for 900 s at most" in problem.detail
    assert "ledgerflow transactions abort 4711 --reason" in problem.detail
    assert problem.detail.isprintable() and "pay\\x1b[31m-7" in problem.detail
    (fault,) = worker.told
    assert fault == ("transaction_open", "payments[1]", problem.detail, "payments", 1, 12)
    worker.states[PLACE] = FetchState(15, None, 15)
    assert not worker.after(1) and worker.problems.now() == []


def test_a_broker_that_does_not_say_whose_it_is_leaves_the_problem_and_no_alert() -> None:
    worker = Worker(None)
    worker.states[PLACE] = FetchState(12, None, 15)
    worker.after(0)
    assert worker.after(BOUND_S + 1)
    assert "`ledgerflow transactions list`" in worker.problems.now()[0].detail
    assert not worker.told
    worker.found = [THEIRS]
    worker.after(5)
    assert len(worker.told) == 1


def test_ready_names_it_and_stays_ready_because_the_worker_is() -> None:
    app: Any = SimpleNamespace(
        rebalancing=False, in_recovery=False, tables_ready=True, assigned=set(), rules="r", tenants="t",
        tasks=SimpleNamespace(running={}, ready_after_s=1.0), problems=Problems(),
    )  # fmt: skip
    app.problems.hold("transaction_open", {"payments[1]": "producer 4711"})
    response: Any = ready(app)
    told = json.loads(response.body)
    assert (response.status, told["status"]) == (200, "ready")
    assert [(one["name"], one["subject"]) for one in told["problems"]] == [
        ("transaction_open", "payments[1]")
    ]
    app.problems.hold("topic_settings", {"payments": "retention.ms is 1"})
    assert ready(app).status == 503
