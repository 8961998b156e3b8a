"""The columnar transport: one Faust message for all records that were fetched of one partition.

Picked by the broker's URL: `broker="columnar://host:9092"` (entry point `faust.transports`). A topic declared
with `value_serializer="columnar"` is delivered in batches: the message's value is a `PartitionBatch`. Every
other topic is delivered record by record, as Faust does.

A batch names where it starts and where it ends in the log, so that whoever applies batches can tell that none
was dropped on the way: each must start where the last one ended. Offsets of control records lie inside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple, cast

import faust
from aiokafka.structs import TopicPartition
from faust.serializers import codecs
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

BATCH_CODEC = "columnar"
FETCH_WAIT_MS = 100
"""The broker answers a fetch at the latest after this time. aiokafka has one request per broker under way, so
a partition that becomes free in between waits for it."""


class PartitionBatch(NamedTuple):
    """The records of one partition that were fetched together."""

    records: list[Any]
    """aiokafka ConsumerRecords, in offset order, never empty."""
    start: int | None
    """The offset that the fetch started from; None where no offset was committed yet."""
    end: int
    """The offset to commit once the batch is applied: behind the last record and the control records there."""


class _Untouched(faust.Codec):
    """Lets a batch through Faust's decoding as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(BATCH_CODEC, _Untouched())


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records only and saying how far each fetch reached."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        assignment = consumer._subscription.subscription.assignment
        batches = {}
        for tp, found in (records or {}).items():
            state = assignment.state_value(TopicPartition(*tp))
            # Without a position the partition was revoked meanwhile; its batch will be refused by generation.
            position = state.position if state is not None and state.has_valid_position else None
            batches[tp] = (found, max(found[-1].offset + 1, position or 0))
        return batches


class Consumer(driver.Consumer):
    """Faust's consumer, delivering the topics with the columnar codec by partition batch."""

    def on_init(self) -> None:
        super().on_init()
        self._reached: dict[TP, int] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _batched_topics(self) -> set[str]:
        return {
            name
            for topic in self.app.topics
            if getattr(topic, "value_serializer", None) == BATCH_CODEC
            for name in topic.topics
        }

    async def perform_seek(self) -> None:
        """Seek to the committed offsets: the next batch of each partition starts there."""
        await super().perform_seek()
        self._reached = {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}
        on_positions = getattr(self.app, "on_positions", None)
        if on_positions is not None:
            on_positions(dict(self._reached))

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Yield (partition, message): a batch for a columnar topic, single records for the others."""
        fetched, active = await self._wait_next_records(timeout)
        if not fetched or self.should_stop:
            return
        generation = self.app.consumer_generation_id
        batched = self._batched_topics()
        for tp, (records, end) in cast(Mapping[TP, Any], fetched).items():
            start, self._reached[tp] = self._reached.get(tp), end
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # a rebalance is under way; its end seeks to the committed offsets
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in batched:
                message = self._to_message(tp, records[-1])
                message.key, message.value = None, PartitionBatch(records, start, end)
                # Faust looks for gaps between messages, and would file every batch as one.
                self._read_offset[tp] = message.offset - 1
                yield tp, message
            else:
                for record in records:
                    yield tp, self._to_message(tp, record)


class Transport(driver.Transport):
    """What the entry point names."""

    Consumer = Consumer
