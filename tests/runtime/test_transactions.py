"""The group commit of a worker: what waits goes together, in order, and one transaction at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.runtime import transactions as transactions_module
from pipeline.runtime.kafka.records import NO_HEADERS, OutputRecord
from pipeline.runtime.transactions import Contribution, Source, Transactions
from tests.runtime.task_bench import WaitingProducer


def record(text: str) -> OutputRecord:
    return (text.encode(), b"", NO_HEADERS, None)


class Partition:
    """A partition that has records to commit."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.has: list[str] = []
        self.taken = 0
        self.next_offsets: list[int | None] = []

    @property
    def changelog(self) -> tuple[str, int]:
        return "changelog", self.number

    def take(self) -> Contribution:
        records, self.has = list(map(record, self.has)), []
        self.taken += len(records)
        outputs: dict[tuple[str, int], Any] = {("shared", 0): records, self.changelog: records[:1]}
        return Contribution(outputs, len(records), [Source("stream", "log", self.number, self.taken)])

    def confirm(self, contribution: Contribution, ends: Any) -> None:
        self.next_offsets.append(ends.get(self.changelog))


class Bench:
    def __init__(self) -> None:
        self.producer = WaitingProducer()
        self.failures: list[BaseException] = []
        self.transactions = Transactions(self.producer, self.failures.append)  # type: ignore[arg-type]
        self.partitions = [Partition(number) for number in range(3)]

    def has(self, number: int, *texts: str) -> None:
        self.partitions[number].has += texts
        self.transactions.want(self.partitions[number])

    def shared(self) -> list[list[str]]:
        return [[key.decode() for key, *_ in outputs["shared", 0]] for outputs, _ in self.producer.commits]


async def test_what_waits_for_a_transaction_goes_together_with_the_next_one() -> None:
    bench = Bench()
    bench.producer.open.clear()
    bench.has(0, "a")
    for _ in range(3):
        await asyncio.sleep(0)
    assert bench.producer.begun == 1
    bench.has(1, "b")
    bench.has(2, "c", "d")
    bench.has(0, "e")
    bench.has(1, "f")
    bench.producer.open.set()
    await bench.transactions.settled()
    assert bench.shared() == [["a"], ["b", "f", "c", "d", "e"]]
    assert [[source.partition for source in sources] for _, sources in bench.producer.commits] == [
        [0],
        [1, 2, 0],
    ]
    assert [source.end for source in bench.producer.commits[1].sources] == [2, 2, 2]
    assert [partition.next_offsets for partition in bench.partitions] == [[2, 4], [2], [2]]


async def test_a_large_transaction_leaves_the_others_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions_module, "TRANSACTION_OUTPUTS_MAX", 3)
    bench = Bench()
    bench.has(0, *"abcd")
    bench.has(1, "e")
    bench.has(2, "f")
    await bench.transactions.settled()
    assert bench.shared() == [["a", "b", "c", "d"], ["e", "f"]]


async def test_a_partition_that_has_more_while_the_others_are_taken_waits_for_the_next_one() -> None:
    bench = Bench()
    bench.has(0, "a")
    bench.has(1, "b")
    await asyncio.sleep(0)  # partition 0 is taken
    bench.has(0, "c")
    await bench.transactions.settled()
    assert bench.shared() == [["a", "b"], ["c"]]


async def test_an_error_ends_the_worker_and_nothing_is_taken_for_committed() -> None:
    bench = Bench()
    bench.producer.error = ConnectionError("fenced")
    bench.has(0, "a")
    bench.has(1, "b")
    await bench.transactions.settled()
    assert bench.failures == [bench.producer.error]
    assert [partition.next_offsets for partition in bench.partitions] == [[], [], []]


async def test_nothing_to_settle_is_settled() -> None:
    bench = Bench()
    await bench.transactions.settled()
    assert bench.producer.begun == 0


async def test_whoever_applies_gives_way_to_a_transaction_that_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    await bench.transactions.give_way()
    bench.producer.open.clear()
    bench.has(0, "a")
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.wait_for(bench.transactions.give_way(), 10)  # it has just begun
    monkeypatch.setattr(transactions_module, "GIVE_WAY_AFTER_S", 0.0)
    waiting = asyncio.create_task(bench.transactions.give_way())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    bench.producer.open.set()
    await waiting
    assert bench.shared() == [["a"]]
    await asyncio.wait_for(bench.transactions.give_way(), 10)


async def test_a_transaction_that_fails_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions_module, "GIVE_WAY_AFTER_S", 0.0)
    bench = Bench()
    bench.producer.open.clear()
    bench.producer.error = RuntimeError("fenced")
    bench.has(0, "a")
    await asyncio.sleep(0)
    waiting = asyncio.create_task(bench.transactions.give_way())
    await asyncio.sleep(0.01)
    bench.producer.open.set()
    await asyncio.wait_for(waiting, 10)
    await bench.transactions.settled()
    assert bench.failures == [bench.producer.error]
