"""A partition task: every record has its effect or is a dead letter, and a unit is committed as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.runtime import task as task_module
from pipeline.runtime import transactions as transactions_module
from pipeline.runtime.avro.registry import RegistryUnavailable
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.slices import Slices
from pipeline.runtime.store.database import SOURCE_OFFSET_KEY
from tests.ledger.branches import opened
from tests.runtime.fixed_registry import UNAVAILABLE_ID
from tests.runtime.task_bench import PARTITIONS, STARTED_MS, Bench, own_accounts

A, B, C = own_accounts(3)
ELSEWHERE = own_accounts(1, partition=1)[0]
CHANGELOG = ("app-counts-changelog", 0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    built = Bench(tmp_path)
    yield built
    assert built.store is not None
    built.store.close()


def _ids(bench: Bench, records: list[Any]) -> list[str]:
    """Return the event ids in written records, in order."""
    return [event.event_id for event in bench.codec.decode([value for _, value, _, _ in records]).events]


async def test_the_rules_are_told_where_and_when(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.of(opened("e1", A)), bench.of(opened("e2", B))))
    assert bench.rules.arrivals == [
        ((STARTED_MS + 0) * 1000, 0, PARTITIONS, 0),
        ((STARTED_MS + 1) * 1000, 0, PARTITIONS, 1),
    ]


# --- units and transactions


async def test_a_unit_holds_outputs_changelog_and_source_offset(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.of(opened("e1", A)), bench.of(opened("e2", B))))
    await bench.settled()
    ((outputs, (source,)),) = bench.producer.commits
    assert outputs[CHANGELOG] == [
        (b"a" + A.encode(), b"1", [], None),
        (b"a" + B.encode(), b"1", [], None),
        (SOURCE_OFFSET_KEY, b"2", [], None),
    ]
    assert source == ("counting", "accounts", 0, 2)
    assert [key for key, _, _, _ in outputs["postings", 0]] == [f"acme/{A}".encode(), f"acme/{B}".encode()]
    assert bench.store is not None
    assert dict(bench.store.committed_scan(b"")) == {b"a" + A.encode(): b"1", b"a" + B.encode(): b"1"}
    assert (bench.store.changelog_offset, bench.store.source_offset) == (4, b"2")
    assert bench.task.committed == bench.task.position == 2


async def test_outputs_keep_their_order_and_a_compacted_topic_the_last_of_each_key(bench: Bench) -> None:
    order = [A, B, A, C, B, A]
    records = [bench.of(opened(f"e{number}", account)) for number, account in enumerate(order)]
    await bench.task.accept(bench.batch(*records))
    await bench.settled()
    outputs = bench.producer.commits[0][0]
    assert _ids(bench, outputs["postings", 0]) == [
        f"{A}#1",
        f"{B}#1",
        f"{A}#2",
        f"{C}#1",
        f"{B}#2",
        f"{A}#3",
    ]
    assert _ids(bench, outputs["balances", 0]) == [f"{A}#3", f"{B}#2", f"{C}#1"]
    assert len(outputs[CHANGELOG]) == 4


async def test_commands_go_to_their_accounts_partition_and_all_else_stays(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.of(opened(ELSEWHERE, A, customer_id="command"))))
    await bench.settled()
    outputs = bench.producer.commits[0][0]
    assert set(outputs) == {("postings", 0), ("balances", 0), ("ledger-commands", 1), CHANGELOG}


async def test_a_record_is_passed_on_as_it_is(bench: Bench) -> None:
    forwarded = bench.of(opened("e1", A, customer_id="forward"))
    everywhere = bench.of(opened("e2", A, customer_id="broadcast"))
    await bench.task.accept(bench.batch(forwarded, everywhere))
    await bench.settled()
    outputs = bench.producer.commits[0][0]
    assert outputs.pop(("ledger-commands", 0)) == [(forwarded.key, forwarded.value, [], None)]
    copies = {
        ("position-commands", number): [(everywhere.key, everywhere.value, [], None)] for number in range(4)
    }
    assert outputs == copies | {CHANGELOG: [(SOURCE_OFFSET_KEY, b"2", [], None)]}


async def test_a_deleted_row_is_a_tombstone_in_the_changelog(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.of(opened("e1", A))))
    await bench.settled()
    await bench.task.accept(bench.batch(bench.of(opened("e2", A, customer_id="delete"))))
    await bench.settled()
    deleted, offset = (b"a" + A.encode(), None, [], None), (SOURCE_OFFSET_KEY, b"2", [], None)
    assert bench.producer.commits[1][0] == {CHANGELOG: [deleted, offset]}
    assert bench.store is not None and list(bench.store.committed_scan(b"")) == []


async def test_a_batch_of_dead_letters_alone_commits_its_offset(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.record(None, None)))
    await bench.settled()
    ((outputs, (source,)),) = bench.producer.commits
    assert set(outputs) == {("dead-letters", 0), CHANGELOG}
    assert outputs[CHANGELOG] == [(SOURCE_OFFSET_KEY, b"1", [], None)]
    assert source == ("counting", "accounts", 0, 1)


async def test_a_stream_without_a_table_has_no_changelog(tmp_path: Path) -> None:
    bench = Bench(tmp_path, table=False)
    await bench.task.accept(bench.batch(bench.of(opened("e1", A, customer_id="forward"))))
    await bench.settled()
    ((outputs, _),) = bench.producer.commits
    assert set(outputs) == {("ledger-commands", 0)}


async def test_a_batch_that_starts_elsewhere_is_refused_before_it_is_applied(bench: Bench) -> None:
    await bench.task.accept(bench.batch(bench.of(opened("e1", A))))
    for start in (0, 2, 5):
        with pytest.raises(RuntimeError, match=f"a batch starts at {start}, expected 1"):
            await bench.task.accept(bench.batch(bench.of(opened("e2", A)), start=start))
    await bench.settled()
    assert bench.store is not None and bench.store.get(b"a" + A.encode()) == b"1"
    assert len(bench.producer.commits) == 1


async def test_units_grow_while_a_commit_is_under_way(bench: Bench) -> None:
    bench.producer.open.clear()
    for number in range(4):
        await bench.task.accept(bench.batch(bench.of(opened(f"e{number}", A))))
        await asyncio.sleep(0)
    assert bench.producer.begun == 1
    assert bench.store is not None
    assert (bench.store.get(b"a" + A.encode()), bench.store.committed_get(b"a" + A.encode())) == (b"4", None)
    bench.producer.open.set()
    await bench.settled()
    assert [source.end for _, (source,) in bench.producer.commits] == [1, 4]
    assert [outputs[CHANGELOG][0][1] for outputs, *_ in bench.producer.commits] == [b"1", b"4"]
    assert [_ids(bench, outputs["postings", 0]) for outputs, *_ in bench.producer.commits] == [
        [f"{A}#1"],
        [f"{A}#2", f"{A}#3", f"{A}#4"],
    ]
    assert bench.store.committed_get(b"a" + A.encode()) == b"4"


async def test_rows_are_durable_only_after_their_transaction(bench: Bench) -> None:
    bench.producer.open.clear()
    await bench.task.accept(bench.batch(bench.of(opened("e1", A))))
    await asyncio.sleep(0)
    assert bench.producer.begun == 1
    assert bench.store is not None
    assert (list(bench.store.committed_scan(b"")), bench.store.changelog_offset) == ([], 0)
    assert bench.task.committed is None
    bench.producer.open.set()
    await bench.settled()
    assert list(bench.store.committed_scan(b"")) == [(b"a" + A.encode(), b"1")]


async def test_a_failing_commit_ends_the_worker_and_leaves_nothing(bench: Bench) -> None:
    bench.producer.error = ConnectionError("fenced")
    await bench.task.accept(bench.batch(bench.of(opened("e1", A))))
    await bench.settled()
    assert bench.failures == [bench.producer.error]
    assert bench.store is not None
    assert (list(bench.store.committed_scan(b"")), bench.store.changelog_offset) == ([], 0)
    assert bench.task.committed is None


async def test_an_output_that_cannot_be_encoded_ends_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = LookupError("not registered")

    def refuse(events: Any) -> Any:
        raise error

    records = [bench.of(opened("e1", A))]
    monkeypatch.setattr(bench.codec, "encode", refuse)
    await bench.task.accept(bench.batch(*records))
    await bench.settled()
    assert bench.failures == [error]
    assert bench.producer.begun == 0


async def test_a_schema_that_cannot_be_looked_up_stops_before_anything_is_applied(bench: Bench) -> None:
    good = bench.of(opened("e1", A))
    unsure = bench.record(b"\0" + UNAVAILABLE_ID.to_bytes(4, "big") + b"x", b"acme/x")
    with pytest.raises(RegistryUnavailable):
        await bench.task.accept(bench.batch(good, unsure))
    assert bench.rules.arrivals == []
    assert bench.task.position is None
    assert bench.producer.begun == 0


async def test_too_much_uncommitted_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.runtime.unit.UNIT_RECORDS_MAX", 3)
    bench.producer.open.clear()
    await bench.task.accept(bench.batch(bench.of(opened("e0", A))))
    await asyncio.sleep(0)  # its commit is under way
    more = [bench.of(opened(f"e{number}", A)) for number in range(1, 6)]
    waiting = asyncio.ensure_future(bench.task.accept(bench.batch(*more)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    bench.producer.open.set()
    await waiting
    await bench.settled()
    assert bench.task.committed == 6


async def test_a_large_batch_is_applied_in_slices_and_each_one_can_be_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.task._slices = Slices(2, 2)
    records = [bench.of(opened(f"e{number}", A)) for number in range(3)]
    bench.offset += 1  # a control record
    records += [bench.of(opened(f"e{number}", A)) for number in range(3, 5)]
    ends: list[int | None] = []
    want = bench.transactions.want

    def wanted(task: Any) -> None:
        ends.append(task._unit.end)
        want(task)

    monkeypatch.setattr(bench.transactions, "want", wanted)
    await bench.task.accept(bench.batch(*records))
    await bench.settled()
    assert ends == [2, 5, 6]
    assert [source.end for _, (source,) in bench.producer.commits] == [2, 6]
    assert [len(outputs["postings", 0]) for outputs, _ in bench.producer.commits] == [2, 3]
    assert bench.task.committed == bench.task.position == 6


async def test_the_next_slice_waits_for_a_transaction_that_takes_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.task._slices = Slices(2, 2)
    monkeypatch.setattr(transactions_module, "GIVE_WAY_AFTER_S", 0.0)
    bench.producer.open.clear()
    records = [bench.of(opened(f"e{number}", A)) for number in range(10)]
    accepting = asyncio.create_task(bench.task.accept(bench.batch(*records)))
    await asyncio.sleep(0.01)
    applied = bench.task.applied_records
    assert 0 < applied < len(records)
    await asyncio.sleep(0.01)
    assert bench.task.applied_records == applied
    bench.producer.open.set()
    await accepting
    await bench.settled()
    assert bench.task.committed == len(records)


async def test_a_task_is_at_rest_only_when_all_of_what_it_was_given_is_committed(bench: Bench) -> None:
    """Between two slices, in which others have their turn, records are counted that are not committed."""
    bench.task._slices = Slices(2, 2)
    bench.task.expect(0)
    assert bench.task.at_rest
    batch = bench.batch(*(bench.of(opened(f"e{number}", A)) for number in range(5)), start=0)
    bench.producer.open.clear()
    accepting = asyncio.create_task(bench.task.accept(batch))
    seen: list[tuple[int, bool]] = []
    while not accepting.done():
        await asyncio.sleep(0)
        seen.append((bench.task.applied_records, bench.task.at_rest))
    assert {applied for applied, _ in seen} >= {2, 4, 5}
    bench.producer.open.set()
    while bench.task.committed != 5:
        seen.append((bench.task.applied_records, bench.task.at_rest))
        await asyncio.sleep(0)
    assert not any(at_rest for _, at_rest in seen)
    assert bench.task.at_rest


async def test_slices_grow_while_they_are_quick_and_start_over_after_a_slow_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    slow = {3}
    apply = bench.task.apply

    def noted(records: list[Any]) -> None:
        apply(records)
        sizes.append(len(records))
        clock[0] += 1.0 if len(sizes) in slow else 0.0

    clock = [0.0]
    monkeypatch.setattr(bench.task, "apply", noted)
    monkeypatch.setattr(task_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    bench.task._slices = Slices(2, 5)
    await bench.task.accept(bench.batch(*(bench.of(opened(f"e{number}", A)) for number in range(21))))
    await bench.settled()
    assert sizes == [2, 4, 5, 2, 4, 4]


async def test_a_stream_says_how_long_its_slices_are(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine,) = bench.task.machines
    machine.spec = machine.spec._replace(slice_records=3)
    task = bench.task_of(machine)
    task.expect(0)
    sizes: list[int] = []
    monkeypatch.setattr(task, "apply", lambda records: sizes.append(len(records)))
    records = [bench.of(opened(f"e{number}", A)) for number in range(4)]
    await task.accept(PartitionBatch(records, 0, 4))
    assert sizes == [3, 1]


async def test_closing_in_the_middle_of_a_batch_leaves_the_rest_to_the_next_owner(bench: Bench) -> None:
    bench.task._slices = Slices(2, 2)
    bench.producer.open.clear()
    records = [bench.of(opened(f"e{number}", A)) for number in range(40)]
    accepting = asyncio.create_task(bench.task.accept(bench.batch(*records)))
    for _ in range(3):
        await asyncio.sleep(0)
    bench.producer.open.set()
    bench.task.close()
    await asyncio.gather(bench.settled(), accepting)
    applied = bench.task.applied_records
    assert 0 < applied < len(records)
    assert bench.producer.commits[-1].sources == [("counting", "accounts", 0, applied)]
    assert bench.failures == []


async def test_closing_commits_what_is_applied_and_nothing_more_is(bench: Bench) -> None:
    bench.producer.open.clear()
    await bench.task.accept(bench.batch(bench.of(opened("e1", A))))
    await asyncio.sleep(0)
    await bench.task.accept(bench.batch(bench.of(opened("e2", A))))
    bench.task.close()
    settling = asyncio.ensure_future(bench.settled())
    await asyncio.sleep(0)
    assert not settling.done()
    bench.producer.open.set()
    await settling
    assert bench.task.committed == 2
    await bench.task.accept(bench.batch(bench.of(opened("e3", A))))
    await bench.settled()
    assert (bench.task.committed, bench.task.applied_records) == (2, 2)


async def test_closing_an_idle_task_commits_nothing(bench: Bench) -> None:
    bench.task.close()
    await bench.settled()
    assert bench.producer.commits == []
