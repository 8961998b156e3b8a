"""Ticks: when a branch gets time, which time, and in whose name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from pydantic import ValidationError

from pipeline.domain.fraud.scheduled_rows import NEVER, Clock, write_clock
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.due import HOLD, Due, schedule
from pipeline.domain.ledger.rows import write_watermark
from pipeline.domain.reconciliation.desk.time import BranchClock
from pipeline.runtime.kafka.fetched import Delivered, FetchState
from pipeline.runtime.placement import Placement
from pipeline.runtime.problems import Problems
from pipeline.runtime.settings import Settings
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.ticks import MARGIN_US, Ticker, tick_of
from tests.ledger.branches import opened
from tests.runtime.task_bench import Bench, own_accounts
from topologies.app import STREAMS
from topologies.ticks import TICKING

SECOND = 1_000_000
NOON = 1_767_268_800 * SECOND
EVERY_S = 60


class FakeTask:
    """A task of one log: it has committed all that was delivered, up to an offset."""

    def __init__(self, committed: int | None = 5) -> None:
        self.committed = self.position = committed
        self.at_rest = True
        self.said: list[Any] = []

    def say(self, topic: str, key: str, event: Any) -> bool:
        may = self.at_rest and self.position is not None
        self.said += [(topic, key, event)] if may else []
        return may


class Worker:
    """A worker that has one branch, and all of its logs read to their ends."""

    def __init__(self, branch: int = 3) -> None:
        self.branch = branch
        self.running: dict[TP, Any] = {TP(log, branch): FakeTask() for log in TICKING.logs}
        self.states = {tp: FetchState(5, Delivered(5, 5), 5) for tp in self.running}
        self.rows = {table: MemoryRows() for table in TICKING.clocks}
        self.problems = Problems()
        self.now_us = NOON
        self.asked_us: dict[TP, int | None] = {}
        """When a broker was last asked for the end of a log; others at each look."""
        self.ticker = Ticker(self, lambda: self.running, TICKING, EVERY_S, lambda: self.now_us / SECOND)

    def fetch_state(self, tp: TP) -> FetchState | None:
        state = self.states.get(tp)
        return None if state is None else state._replace(asked_us=self.asked_us.get(tp, self.now_us))

    def open_store(self, table: str, partition: int) -> Any:
        return self.rows[table] if partition == self.branch else None

    def grow(self, log: str, records: int = 1) -> None:
        """Let a log have records that are not applied."""
        tp = TP(log, self.branch)
        self.states[tp] = FetchState(5 + records, Delivered(5, 5), 5 + records)

    def apply(self, log: str, records: int = 1) -> None:
        """Let them be applied."""
        tp, end = TP(log, self.branch), 5 + records
        self.running[tp].committed = self.running[tp].position = end
        self.states[tp] = FetchState(end, Delivered(end, end), end)

    def look(self, seconds: int = 1) -> list[int]:
        """Look every second for so long; return the times of the ticks."""
        before = len(self.ticks)
        for _ in range(seconds):
            self.now_us += SECOND
            self.ticker.look()
        return [event.occurred_at for _, _, event in self.ticks[before:]]

    @property
    def ticks(self) -> list[Any]:
        return [one for task in self.running.values() for one in task.said]


def test_all_logs_of_a_branch_are_logs_of_streams_and_the_clocks_are_of_tables() -> None:
    assert set(TICKING.logs) <= {stream.source for stream in STREAMS}
    assert set(TICKING.clocks) <= {stream.table for stream in STREAMS}
    assert {"payments", "accounts", "journals"} <= set(TICKING.writers)
    intakes = {stream.source for stream in STREAMS if stream.name.startswith("intake-")}
    assert set(TICKING.writers) <= intakes and set(TICKING.writers) < set(TICKING.logs)


def test_a_branch_whose_logs_are_read_gets_time_once_a_while() -> None:
    """Once it can, then at the beginning of each span of the clock, as all other branches."""
    worker = Worker()
    assert worker.look() == [], "one look says where logs end, the next one that they are read"
    assert worker.look(1 + 3 * EVERY_S) == [
        NOON + (n * EVERY_S - 1 if n else 1) * SECOND - MARGIN_US for n in range(4)
    ]
    ((topic, key, event), *_) = worker.ticks
    assert (topic, key) == ("fraud-commands", "/$clock:3")
    assert (event.tenant_id, event.account_id, event.branch) == ("", "$clock:3", 3)
    assert len({one.event_id for _, _, one in worker.ticks}) == 4


@pytest.mark.parametrize("log", TICKING.logs)
def test_while_a_log_has_something_unread_there_is_no_tick(log: str) -> None:
    """A tick that was sent would end what the unread record still meets."""
    worker = Worker()
    worker.grow(log)
    assert worker.look(3 * EVERY_S) == []
    worker.apply(log)
    (time,) = worker.look(1)
    assert time == NOON + SECOND - MARGIN_US, "that of the look at the ends, not of the present one"


@pytest.mark.parametrize("log", TICKING.logs)
def test_what_comes_after_a_look_does_not_count_for_its_time(log: str) -> None:
    """So a branch with steady traffic on one log has time, too: a log need not rest."""
    worker = Worker()
    worker.look()
    worker.grow(log)
    assert worker.look() == [NOON + SECOND - MARGIN_US]


@pytest.mark.parametrize("log", TICKING.logs)
def test_an_end_that_was_asked_for_long_ago_gives_no_later_time(log: str) -> None:
    """A broker, the network or the process stood still: what came to the log since is not known here."""
    worker = Worker()
    worker.asked_us[TP(log, 3)] = NOON - 30 * SECOND
    assert worker.look(3) == [NOON - 30 * SECOND - MARGIN_US]
    worker.asked_us[TP(log, 3)] = None
    assert worker.look(2 * EVERY_S) == [], "no answer yet, or only the first one"


def test_while_more_is_due_than_a_tick_takes_the_next_one_does_not_wait() -> None:
    """Ten thousand salaries of one day would else take more than an hour."""
    worker = Worker()
    worker.look(2)
    clock = Clock(NOON, NOON + 10 * SECOND)
    write_clock(worker.rows["fraud"], clock)
    assert worker.look(3) == [], "none is due yet"
    clock.watermark = NOON + 10 * SECOND
    write_clock(worker.rows["fraud"], clock)
    assert len(worker.look(3)) == 3
    clock.earliest = NEVER
    write_clock(worker.rows["fraud"], clock)
    due = Due(NOON + SECOND, HOLD, "t", "A", "P")
    schedule(worker.rows["ledger"], due)
    write_watermark(worker.rows["ledger"], NOON)
    assert worker.look(3) == []
    write_watermark(worker.rows["ledger"], NOON + SECOND)
    assert len(worker.look(3)) == 3


@pytest.mark.parametrize("log", TICKING.logs)
def test_what_waits_for_an_open_transaction_is_not_read(log: str) -> None:
    worker = Worker()
    worker.states[TP(log, 3)] = FetchState(5, Delivered(5, 5), 6)
    assert worker.look(EVERY_S) == []


@pytest.mark.parametrize("log", TICKING.logs)
def test_a_worker_without_all_logs_of_a_branch_gives_it_no_time(log: str) -> None:
    worker = Worker()
    del worker.running[TP(log, 3)]
    assert worker.look(EVERY_S) == []
    worker = Worker()
    del worker.states[TP(log, 3)]  # not fetched yet, as after a rebalance
    assert worker.look(EVERY_S) == []


def test_a_log_that_was_never_read_writes_no_tick_and_the_next_one_does() -> None:
    worker = Worker()
    *never, last = TICKING.writers
    for log in never:
        worker.running[TP(log, 3)] = FakeTask(None)
        worker.states[TP(log, 3)] = FetchState(0, Delivered(None, 0), 0)
    assert len(worker.look(2)) == 1
    assert worker.running[TP(last, 3)].said
    worker.running[TP(last, 3)] = FakeTask(None)
    worker.states[TP(last, 3)] = FetchState(0, Delivered(None, 0), 0)
    assert worker.look(2 * EVERY_S) == [], "a branch that nobody has ever used"


def test_a_tick_that_could_not_be_written_is_written_later() -> None:
    worker = Worker()
    for log in TICKING.writers:
        worker.running[TP(log, 3)].at_rest = False
    assert worker.look(5) == []
    worker.running[TP(TICKING.writers[0], 3)].at_rest = True
    assert len(worker.look()) == 1


def test_where_event_time_is_already_there_a_tick_says_nothing() -> None:
    worker = Worker()
    write_watermark(worker.rows["ledger"], NOON + 30 * SECOND)
    assert len(worker.look(2)) == 1, "payments may wait in the fraud stream, whose time is another one"
    worker = Worker()
    write_watermark(worker.rows["ledger"], NOON + 30 * SECOND)
    write_clock(worker.rows["fraud"], Clock(NOON + 30 * SECOND))
    assert len(worker.look(2)) == 1, "a quiet account may wait in reconciliation, whose time is another one"
    worker = Worker()
    write_watermark(worker.rows["ledger"], NOON + 30 * SECOND)
    write_clock(worker.rows["fraud"], Clock(NOON + 30 * SECOND))
    items = BranchClock(worker.rows["reconciliation"])
    items.advance(NOON + 30 * SECOND)
    items.close()
    assert worker.look(30) == []
    assert worker.look(10) == [NOON + 36 * SECOND - MARGIN_US]


def test_a_worker_with_a_problem_gives_no_time() -> None:
    worker = Worker()
    worker.problems.hold("broker_silent", {"Kafka": "no answer"})
    assert worker.look(EVERY_S) == []
    worker.problems.hold("broker_silent", {})
    assert len(worker.look()) == 1


def test_a_tick_belongs_on_its_branch_and_nowhere_else() -> None:
    key, event = tick_of(3, NOON)
    record = SimpleNamespace(key=key.encode())
    read: Any = SimpleNamespace(events=[event])
    for number in range(8):
        decide = Placement(number, 8)._one[ev.BranchTicked]
        assert (decide(event, record.key) == (True, 3)) and read.events == [event]


def test_the_rules_take_a_tick_of_the_worker() -> None:
    from pipeline.domain.fraud.log import FraudLog
    from pipeline.domain.ledger.stream import Ledger
    from pipeline.domain.reconciliation.desk.rules import Desk

    _, event = tick_of(3, NOON)
    out, rows, waiting, items = Outbox(), MemoryRows(), MemoryRows(), MemoryRows()
    FraudLog().apply(event, Arrival(NOON + MARGIN_US, 3, 8), waiting, out)
    assert out.items == [("ledger-commands", "", None)]
    Ledger().apply(event, Arrival(NOON + MARGIN_US, 3, 8), rows, out)
    assert out.items[1:] == [("reconciliation-items", "", None)]
    Desk().apply(event, Arrival(NOON + MARGIN_US, 3, 8), items, out)
    times = (TICKING.clocks[table](known) for table, known in (("ledger", rows), ("fraud", waiting)))
    assert {*times, TICKING.clocks["reconciliation"](items)} == {NOON}


# --- the transaction that a tick is in


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    built = Bench(tmp_path)
    yield built
    assert built.store is not None
    built.store.close()


async def test_a_tick_goes_with_the_offset_that_its_task_has_committed(bench: Bench) -> None:
    (account,) = own_accounts(1)
    await bench.task.accept(bench.batch(bench.of(opened("e1", account))))
    await bench.settled()
    assert bench.task.say("fraud-commands", *tick_of(0, NOON))
    await bench.settled()
    outputs, sources = bench.producer.commits[-1]
    ((key, value, headers, _),) = outputs["fraud-commands", 0]
    assert (key, headers) == (b"/$clock:0", [])
    assert type(bench.codec.decode([value]).events[0]) is ev.BranchTicked
    assert sources == [("counting", "accounts", 0, 1)], "so nobody but the partition's owner can write it"
    assert bench.task.committed == 1 and bench.failures == []


async def test_a_task_that_is_at_work_closed_or_has_read_nothing_writes_none(bench: Bench) -> None:
    def say(task: PartitionTask) -> bool:
        return task.say("fraud-commands", *tick_of(0, NOON))

    assert not say(bench.task), "nothing is committed that could be committed again"
    (account,) = own_accounts(1)
    bench.producer.open.clear()
    await bench.task.accept(bench.batch(bench.of(opened("e1", account))))
    assert not say(bench.task)
    bench.producer.open.set()
    await bench.settled()
    assert say(bench.task)
    bench.task.close()
    assert not say(bench.task)
    await bench.settled()
    assert len(bench.producer.commits) == 2


async def test_a_tick_of_a_worker_that_has_lost_its_partition_ends_it(bench: Bench) -> None:
    (account,) = own_accounts(1)
    await bench.task.accept(bench.batch(bench.of(opened("e1", account))))
    await bench.settled()
    bench.producer.error = ConnectionError("fenced")
    assert bench.task.say("fraud-commands", *tick_of(0, NOON))
    await bench.settled()
    assert bench.failures == [bench.producer.error] and len(bench.producer.commits) == 1


def test_time_is_given_once_a_minute_unless_a_setting_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEDGERFLOW_TICK_SECONDS", raising=False)
    assert Settings().tick_seconds == 60
    assert [Settings(tick_seconds=few).tick_seconds for few in (0, 10)] == [0, 10]
    with pytest.raises(ValidationError, match="0, or 10 or more"):
        Settings(tick_seconds=9)
