"""When a measured worker says that it is done: not before its table holds what it has counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.our_worker import applied_and_committed
from tests.ledger.branches import opened
from tests.runtime.task_bench import Bench, own_accounts

(ACCOUNT,) = own_accounts(1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    assert made.store is not None
    made.store.close()


def row(bench: Bench) -> bytes | None:
    """Return what the table has of the account."""
    assert bench.store is not None
    return bench.store.committed_get(b"a" + ACCOUNT.encode())


async def test_a_payment_that_is_counted_and_not_yet_in_the_table_is_not_done(bench: Bench) -> None:
    """As in the restore job: the last payment was counted, and what was committed was the batch before."""
    first = bench.batch(bench.of(opened("e1", ACCOUNT)))
    await bench.task.accept(first)
    await bench.settled()
    assert (applied_and_committed([bench.task]), row(bench)) == (1, b"1")

    last = bench.batch(bench.of(opened("e2", ACCOUNT)))
    before = bench.task.position
    bench.producer.open.clear()
    accepting = asyncio.create_task(bench.task.accept(last))
    for _ in range(100):
        if bench.task.applied_records == 2:
            break
        await asyncio.sleep(0)
    assert not accepting.done() and bench.task.committed == before
    assert (applied_and_committed([bench.task]), row(bench)) == (None, b"1")
    await accepting
    assert applied_and_committed([bench.task]) is None

    bench.producer.open.set()
    await bench.settled()
    assert (applied_and_committed([bench.task]), row(bench)) == (2, b"2")
