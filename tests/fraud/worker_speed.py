"""What a fraud worker costs without its broker, in processor time: `python -m tests.fraud.worker_speed`.

    records of the benchmark's jobs -> codec -> four partitions, on RocksDB -> outputs as batches for Kafka
         ^------- what the stream says to its own log ------------------------|

The traffic is that of `tests.benchmarks`: `rules` (the rules alone), `model` (a live model besides), `whole`
(what the ledger settles comes back besides, so receipts and cards: the job `fraud`), `paced` (the payments of
the job `fraud-latency`). `--batch`: so many records of a partition are applied at once.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiokafka.structs import ConsumerRecord

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import BROADCAST
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.kafka.record_batch import column_batches
from pipeline.runtime.kafka.records import Columns, Destination, Outputs, count_of, singly
from pipeline.runtime.settings import load_settings
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import BATCH_BYTES, Transactions
from tests.benchmarks import live_model
from tests.benchmarks.inputs import now_us
from tests.benchmarks.jobs.fraud import FraudInput
from tests.benchmarks.jobs.fraud_latency import ACCOUNTS, HOUR_US
from tests.benchmarks.paced import PacedJob, Phase
from tests.runtime.fixed_registry import FixedRegistry
from topologies.configuration import Configuration
from topologies.fraud import SLICE_RECORDS, STREAMS
from topologies.worker import tune

PARTITIONS = 4
SOURCE = STREAMS[0].source
TRAFFIC = ("rules", "model", "whole", "paced")


def events_of(traffic: str, payments: int) -> list[tuple[str, Any]]:
    """Return (key, event) of a job's input."""
    if traffic == "paced":
        job = PacedJob("paced", ACCOUNTS, False, [Phase(payments, 1.0)])
        asked = [(f"{one.tenant_id}/{one.debtor_account_id}", one) for _, one in job.events()]
        return [*live_model.published(now_us() - HOUR_US), *asked]
    events = list(FraudInput(traffic, payments, traffic != "rules").events())
    return [one for one in events if traffic == "whole" or type(one[1]) is not ev.PostingRecorded]


class Log:
    """The source log: what is still to be read of each partition; as a producer it takes transactions."""

    def __init__(self, codec: Codec, events: Iterable[tuple[str, Any]], source: str = SOURCE) -> None:
        self._codec, self._now_ms, self._source = codec, now_us() // 1000, source
        self.waiting = [deque[tuple[bytes, bytes]]() for _ in range(PARTITIONS)]
        self._offsets = [0] * PARTITIONS
        self.said: Counter[str] = Counter()
        self.own_s = 0.0
        """Processor time that is the measurement's own."""
        for key, event in events:
            (value,) = codec.encode([event])
            everywhere = type(event) in BROADCAST
            for home in range(PARTITIONS) if everywhere else (partition_of(key, PARTITIONS),):
                self.waiting[home].append((key.encode(), value))

    def batch(self, partition: int, size: int) -> PartitionBatch:
        """Return the next records of a partition; there are some."""
        start = time.process_time()
        waiting, first = self.waiting[partition], self._offsets[partition]
        taken = list(islice(waiting, size))
        for _ in taken:
            waiting.popleft()
        records = [
            ConsumerRecord(self._source, partition, offset, self._now_ms, 0, key, value, None, 0, 0, ())
            for offset, (key, value) in enumerate(taken, first)
        ]
        self._offsets[partition] += len(taken)
        self.own_s += time.process_time() - start
        return PartitionBatch(records, first or None, self._offsets[partition])

    async def commit(self, outputs: Outputs, sources: Iterable[Any]) -> Mapping[Destination, int]:
        """Make batches of outputs as the producer does; what is for this log comes back."""
        for (topic, partition), records in outputs.items():
            self.said[topic] += count_of(records)
            if isinstance(records, Columns):
                for _ in column_batches(records, self._now_ms, BATCH_BYTES) or ():
                    pass
            if topic == self._source:
                start = time.process_time()
                self.waiting[partition].extend((key, value) for key, value, *_ in singly(records))  # type: ignore[misc]
                self.own_s += time.process_time() - start
        return {}


async def measure(traffic: str, payments: int, size: int, folder: Path) -> None:
    """Apply a job's input until nothing is left; print what it costs."""
    codec = Codec(FixedRegistry())  # type: ignore[arg-type]
    log, failures = Log(codec, events_of(traffic, payments)), list[BaseException]()
    spec = STREAMS[0].spec(Configuration(load_settings(data_dir=str(folder))))
    transactions, turn = Transactions(log, failures.append), asyncio.Lock()  # type: ignore[arg-type]
    tasks, applied, batches = list[PartitionTask](), 0, 0
    for partition in range(PARTITIONS):
        store = PartitionStore(folder / f"fraud-{partition}.rocks")
        machines = [Machine(spec, store, "changelog")]
        task = PartitionTask(
            *(machines, partition, PARTITIONS),
            codec=codec,
            transactions=transactions,
            group="speed",
            turn=turn,
        )
        task.expect(None)
        tasks.append(task)
    begun_s, own_s = time.process_time(), log.own_s
    while any(log.waiting):
        for task in tasks:
            if log.waiting[task.partition]:
                batch = log.batch(task.partition, size)
                applied, batches = applied + len(batch.records), batches + 1
                await task.accept(batch)
        await transactions.settled()
    spent_s = time.process_time() - begun_s - (log.own_s - own_s)
    assert not failures, failures
    print(f"{traffic}: {payments:,} payments, {applied / payments:.2f} records each, {batches:,} batches:")
    print(f"{spent_s / payments * 1e6:.0f} µs a payment, {payments / spent_s:,.0f} by CPU second")
    print("  " + ", ".join(f"{topic} {count / payments:.2f}" for topic, count in sorted(log.said.items())))


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("traffic", nargs="?", choices=TRAFFIC, default="whole")
    given.add_argument("payments", nargs="?", type=int, default=40_000)
    given.add_argument("--batch", type=int, default=SLICE_RECORDS)
    chosen = given.parse_args()
    tune()
    with TemporaryDirectory() as made:
        asyncio.run(measure(chosen.traffic, chosen.payments, chosen.batch, Path(made)))
