"""What open items cost a worker in memory: `python -m tests.reconciliation_desk.memory --open 1000000`.

One partition of the stream as a worker runs it, rows in RocksDB: postings that wait for their lines, of a few
nostro accounts; then the lines of the first ones. Printed: resident memory after each tenth. On each line of
the second part, all that is open stays open but for the item's own.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import load_settings
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import Transactions
from tests.fraud.worker_speed import Log
from tests.reconciliation_desk.speed import NOON, line, posting
from tests.runtime.fixed_registry import FixedRegistry
from topologies.configuration import Configuration
from topologies.reconciliation import STREAMS
from topologies.worker import tune

STREAM = STREAMS[0]
CHANGELOG = "changelog"
MIB = 2**20
BATCH = 2_048


class Partition:
    """One partition of the stream, with a log of its own in the place of Kafka."""

    def __init__(self, folder: Path) -> None:
        self._codec, self._failures = Codec(FixedRegistry()), list[BaseException]()  # type: ignore[arg-type]
        self._folder = folder
        self._log = Log(self._codec, (), STREAM.source)
        self._transactions = Transactions(self._log, self._failures.append)  # type: ignore[arg-type]
        spec = STREAM.spec(Configuration(load_settings(data_dir=str(folder))))
        machines = [Machine(spec, PartitionStore(folder / "reconciliation-0.rocks"), CHANGELOG)]
        self._task = PartitionTask(
            *(machines, 0, 1),
            codec=self._codec,
            transactions=self._transactions,
            group="memory",
            turn=asyncio.Lock(),
        )
        self._task.expect(None)

    async def take(self, events: Iterator[Any]) -> int:
        """Apply events, and what the stream says to itself; return how many results they gave."""
        before = self._log.said["reconciliation-results"]
        for event in events:
            (value,) = self._codec.encode([event])
            self._log.waiting[0].append((f"{event.tenant_id}/{event.account_id}".encode(), value))
        while self._log.waiting[0]:
            await self._task.accept(self._log.batch(0, BATCH))
            await self._transactions.settled()
        if self._failures:
            raise self._failures[0]
        return self._log.said["reconciliation-results"] - before

    def stored_mib(self) -> float:
        """Return the size of the files on disk."""
        return sum(one.stat().st_size for one in self._folder.rglob("*") if one.is_file()) / MIB


async def measure(count: int, accounts: int, pairs: int, folder: Path) -> None:
    """Print memory by the number of open items, then what matching costs beside them."""
    partition, process = Partition(folder), psutil.Process()
    start_mib = process.memory_info().rss / MIB
    print(f"start: {start_mib:,.0f} MiB")
    part = max(1, count // 10)
    for first in range(0, count, part):
        numbers = range(first, min(first + part, count))
        began = time.process_time()
        said = await partition.take(posting(one, f"nostro-{one % accounts}", NOON) for one in numbers)
        spent, rss = time.process_time() - began, process.memory_info().rss / MIB
        assert not said, f"{said} results of items that wait"
        print(
            f"{numbers.stop:,} open: {rss:,.0f} MiB, {partition.stored_mib():,.0f} MiB on disk, "
            f"{1e6 * spent / len(numbers):.0f} us an item",
            flush=True,
        )
    for first in range(0, min(pairs, count), BATCH):
        numbers = range(first, min(first + BATCH, pairs, count))
        began = time.process_time()
        said = await partition.take(line(one, f"nostro-{one % accounts}", NOON) for one in numbers)
        spent, rss = time.process_time() - began, process.memory_info().rss / MIB
        assert said >= len(numbers), f"{said} results for {len(numbers)} lines"
        print(
            f"{numbers.stop:,} lines matched: {rss:,.0f} MiB, {1e6 * spent / len(numbers):.0f} us a line",
            flush=True,
        )


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--open", type=int, default=1_000_000, metavar="N")
    given.add_argument("--accounts", type=int, default=8)
    given.add_argument("--pairs", type=int, default=20_480, help="lines that come at the end")
    chosen = given.parse_args()
    tune()
    with TemporaryDirectory() as made:
        asyncio.run(measure(chosen.open, chosen.accounts, chosen.pairs, Path(made)))
