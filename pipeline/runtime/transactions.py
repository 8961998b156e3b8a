"""One Kafka transaction per partition batch: outputs, changelog and source offset, all or nothing.

The transactional id is `<app>-<stream>-<partition>`. A new owner of the partition starts a producer with the
same id before it reads the committed offset: that fences the old owner and ends its open transaction. Every
error here is fatal for the worker: it stops, and a restart goes on from what was committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

import aiokafka.producer.sender
from aiokafka import AIOKafkaProducer, TopicPartition

from pipeline.runtime.record_batch import column_batches
from pipeline.runtime.records import Columns, OutputRecord, Outputs, Records, rows_of
from pipeline.runtime.topics import RECORD_BYTES_MAX, source_offsets_name

RETRY_BACKOFF_MS = 4
"""aiokafka's 100 ms dominate latency: a broker that still writes the last transaction's markers answers
CONCURRENT_TRANSACTIONS, which is retried after this time."""
TRANSACTION_TIMEOUT_MS = 10_000
"""How long the broker waits for a silent producer before it aborts; readers of committed data wait, too."""
BATCH_BYTES = 2**20
START_TIMEOUT_S = 60.0

aiokafka.producer.sender.BACKOFF_OVERRIDE = RETRY_BACKOFF_MS / 1000


class PartitionProducer:
    """The transactional producer of one partition of one stream."""

    def __init__(self, app_id: str, stream: str, partition: int, connection: Mapping[str, Any]) -> None:
        self._stream = stream.encode()
        self._source_offsets = source_offsets_name(app_id)
        self._producer = AIOKafkaProducer(
            **connection,
            transactional_id=f"{app_id}-{stream}-{partition}",
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=3 * RECORD_BYTES_MAX,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )

    async def start(self) -> None:
        """Fence every earlier producer of this id and wait until its open transaction has ended."""
        await asyncio.wait_for(self._producer.start(), START_TIMEOUT_S)

    async def stop(self) -> None:
        """Close the connections; an open transaction is aborted by the broker or by the next owner."""
        await self._producer.stop()

    async def commit(
        self,
        outputs: Outputs,
        changelog: tuple[str, int] | None,
        source: tuple[str, int, int],
        group: str,
    ) -> int | None:
        """Write `outputs` and commit `source` (topic, partition, offset) for `group` in one transaction.

        The offset goes to the group and, as a record, to the app's own topic of source offsets.
        Returns the next offset of the partition `changelog` after the records written to it, None if there
        were none. Raises what aiokafka raises; then nothing of it is or becomes visible.
        """
        producer = self._producer
        await producer.begin_transaction()
        sent = []
        log, number, end = source
        own: OutputRecord = (self._stream, str(end).encode(), [], None)
        for (topic, partition), records in [*outputs.items(), ((self._source_offsets, number), [own])]:
            for batch, count in self._batches(records):
                future = await producer.send_batch(batch, topic, partition=partition)
                sent.append((topic, partition, count, future))
        await producer.send_offsets_to_transaction({TopicPartition(log, number): end}, group)
        await producer.commit_transaction()
        next_offset = None
        for topic, partition, count, future in sent:
            metadata = await future
            if (topic, partition) == changelog:
                next_offset = metadata.offset + count
        return next_offset

    def _batches(self, records: Records) -> Iterable[tuple[Any, int]]:
        """Yield batches of records with their number; a batch is full at BATCH_BYTES."""
        now = int(time.time() * 1000)
        if isinstance(records, Columns):
            batches = column_batches(records, now, BATCH_BYTES)
            if batches is not None:
                return ((batch, batch.record_count()) for batch in batches)
        return self._plain_batches(rows_of(records), now)

    def _plain_batches(self, records: list[OutputRecord], now: int) -> Iterable[tuple[Any, int]]:
        """Yield batches that aiokafka's builder fills, a record at a time."""
        batch, count = self._producer.create_batch(), 0
        for key, value, headers, timestamp in records:
            stamp = now if timestamp is None else timestamp
            if batch.append(key=key, value=value, timestamp=stamp, headers=headers) is None:
                yield batch, count
                batch, count = self._producer.create_batch(), 0
                batch.append(key=key, value=value, timestamp=stamp, headers=headers)
            count += 1
        if count:
            yield batch, count
