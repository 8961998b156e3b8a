"""Several streams of one log: each with rules and rows of its own, all of them in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from pipeline.runtime.assignments import resume_points
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine, StreamSpec
from pipeline.runtime.transactions import Source, _offsets
from tests.ledger.branches import opened
from tests.runtime.task_bench import Bench, CountingRules, own_accounts

A, B, C = own_accounts(3)
LOG = TP("accounts", 0)


class TwoStreams(Bench):
    """A task with two streams of one log."""

    def __init__(self, folder: Path, starts: tuple[int, int] = (0, 0)) -> None:
        super().__init__(folder, table=False)
        self.machines = [
            Machine(
                StreamSpec(name, "accounts", CountingRules(), name),
                PartitionStore(folder / f"{name}.rocks"),
                f"app-{name}-changelog",
                start,
            )
            for name, start in zip(("own", "beside"), starts, strict=True)
        ]
        self.task = self.task_of(*self.machines)

    def rows(self, number: int) -> dict[bytes, bytes]:
        """Return the committed rows of a stream."""
        store = self.machines[number].store
        assert store is not None
        return dict(store.committed_scan(b""))

    def taken(self, number: int) -> list[int]:
        """Return the offsets of the records that a stream was given."""
        rules = self.machines[number].spec.rules
        assert isinstance(rules, CountingRules)
        return [at.offset for at in rules.arrivals]

    def close(self) -> None:
        """Close the tables."""
        for machine in self.machines:
            assert machine.store is not None
            machine.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[TwoStreams]:
    built = TwoStreams(tmp_path)
    yield built
    built.close()


async def test_a_record_goes_through_every_stream_of_its_log_and_one_transaction_holds_it_all(
    bench: TwoStreams,
) -> None:
    await bench.task.accept(bench.batch(bench.of(opened("e1", A)), bench.of(opened("e2", B))))
    await bench.settled()
    ((outputs, sources),) = bench.producer.commits
    assert sources == [("own", "accounts", 0, 2), ("beside", "accounts", 0, 2)]
    assert len(outputs["app-own-changelog", 0]) == len(outputs["app-beside-changelog", 0]) == 3
    assert len(outputs["postings", 0]) == 4
    assert bench.rows(0) == bench.rows(1) == {b"a" + A.encode(): b"1", b"a" + B.encode(): b"1"}
    assert bench.task.counted == (2, 2, 0, 0)


async def test_a_record_is_one_dead_letter_whatever_each_stream_thinks_of_it(bench: TwoStreams) -> None:
    bad = bench.record(b"no event", b"key")
    await bench.task.accept(bench.batch(bad, bench.of(opened("e1", A, customer_id="reject"))))
    await bench.settled()
    ((outputs, _),) = bench.producer.commits
    assert len(outputs[DEAD_LETTERS, 0]) == bench.task.dead_letters == 2
    assert bench.task.counted == (2, 2, 2, 0)


async def test_a_stream_that_is_new_reads_what_the_other_has_applied_already(tmp_path: Path) -> None:
    bench = TwoStreams(tmp_path, starts=(3, 0))
    records = [bench.of(opened(f"e{number}", account)) for number, account in enumerate((A, B, A, C))]
    bench.task.expect(0)
    first = bench.batch(*records[:2], start=0)._replace(end=2)
    await bench.task.accept(first)
    await bench.settled()
    assert (bench.taken(0), bench.taken(1)) == ([], [0, 1])
    assert bench.producer.commits[0].sources == [("own", "accounts", 0, 3), ("beside", "accounts", 0, 2)]
    assert bench.task.committed == 2 and bench.task.counted is None
    await bench.task.accept(bench.batch(*records[2:]))
    await bench.settled()
    assert (bench.taken(0), bench.taken(1)) == ([3], [0, 1, 2, 3])
    assert bench.producer.commits[1].sources == [("own", "accounts", 0, 4), ("beside", "accounts", 0, 4)]
    assert bench.rows(0) == {b"a" + C.encode(): b"1"}
    await bench.task.accept(bench.batch(bench.of(opened("e5", A))))
    await bench.settled()
    assert bench.task.counted == (5, 5, 0, 0)
    bench.close()


def test_the_group_is_told_the_offset_of_the_stream_that_is_furthest_behind() -> None:
    sources = [Source("own", "log", 0, 9), Source("beside", "log", 0, 4), Source("other", "log", 1, 5)]
    assert {place.partition: offset for place, offset in _offsets(sources).items()} == {0: 4, 1: 5}


def test_a_log_goes_on_where_its_streams_are_and_begins_again_for_one_that_is_new() -> None:
    own, beside = (StreamSpec(name, "accounts", CountingRules(), name) for name in ("own", "beside"))
    assert resume_points({LOG: [own]}, {}) == ({}, set())
    assert resume_points({LOG: [own]}, {("own", LOG): 7}) == ({LOG: 7}, set())
    assert resume_points({LOG: [own, beside]}, {}) == ({}, set())
    assert resume_points({LOG: [own, beside]}, {("own", LOG): 7, ("beside", LOG): 5}) == ({LOG: 5}, set())
    assert resume_points({LOG: [own, beside]}, {("own", LOG): 7}) == ({}, {LOG})
