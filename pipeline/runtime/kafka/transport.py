"""The columnar transport: one Faust message for all records that were fetched of one partition.

Picked by the broker's URL: `broker="columnar://host:9092"` (entry point `faust.transports`). A topic declared
with `value_serializer="columnar"` is delivered in batches: the message's value is a `PartitionBatch`. Every
other topic is delivered record by record, as Faust does.

A batch names where it starts and where it ends in the log, so that whoever applies batches can tell that none
was dropped on the way: each must start where the last one ended. Offsets of control records lie inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Set
from typing import Any, NamedTuple, cast

import faust
import uvloop
from aiokafka.structs import TopicPartition
from faust.serializers import codecs
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.runtime.kafka.fetched import consumer_record, install
from pipeline.runtime.kafka.membership import Member

LOG = logging.getLogger(__name__)
BATCH_CODEC = "columnar"
FETCH_WAIT_MS = 100
"""The broker answers a fetch at the latest after this time. aiokafka has one request per broker under way, so
a partition that becomes free in between waits for it."""
GATHER_MS = 5
GATHER_BYTES = 64 * 2**10
"""While records come, a fetch gathers so much, but not for longer: what a batch costs hardly depends on its
length, and each would hold a record or two."""
FETCH_TIMEOUT_S = 0.2
"""How long a fetch waits for records before others, such as a seek, have their turn."""
BACKLOG = 1_000
"""Offsets that are known to be left to read of a log, from which on it does not linger."""
ROOM_TIMEOUT_S = 0.1
"""How long it takes at most until new partitions are noticed where none could be fetched from."""


class PartitionBatch(NamedTuple):
    """The records of one partition that were fetched together."""

    records: list[Any]
    """Parsed records (`fetched`), in offset order, never empty."""
    start: int | None
    """The offset that the fetch started from; None where no offset was committed yet."""
    end: int
    """The offset to commit once it is applied: behind the last record and the control records there."""


class _Untouched(faust.Codec):
    """Lets a batch through Faust's decoding as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(BATCH_CODEC, _Untouched())
install()


class _Fetched(NamedTuple):
    """What the thread hands over of one partition."""

    batch: PartitionBatch
    seeks: int
    """How many seeks came before: a batch from before the last seek will be fetched again."""


class Delivered(NamedTuple):
    """How far a partition is delivered, as of one moment between two fetches."""

    end: int | None
    """Where the last batch that was handed over ends; before the first one, the committed offset."""
    position: int
    """Where the next fetch starts: in between are control records only, which are never handed over."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records only and saying how far each fetch reached.

    Taking records and seeking exclude each other. Otherwise records taken between the seek of their partition
    and the end of the whole seek are dropped by a flow that is still stopped, and nobody fetches them again.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turn = asyncio.Lock()
        self._reached: dict[TP, int] = {}
        self.delivered: dict[TP, Delivered] = {}
        """For other threads. While records are taken, aiokafka's own position is ahead of what was handed
        over, so that by it a partition would look read to its end before its last records are applied."""
        self._lingering: dict[TopicPartition, float] = {}
        """Partitions that are not fetched for now, and until when."""
        self.seeks = 0
        self.stale: set[TP] = set()
        """Partitions whose committed offset is older than what the app knows to be applied."""
        self.member: Member | None = None
        """The membership in which the present partitions were assigned."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Keep the membership before anything is done with the partitions."""
        group, instance = self.app.conf.id, self.app.conf.consumer_group_instance_id
        member_id = self._ensure_consumer()._coordinator.member_id
        self.member = Member(group, generation_id, member_id, instance)
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to its committed offset, or to its beginning; return the committed ones."""
        return cast(Mapping[TP, int], await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        async with self._turn:
            consumer = self._ensure_consumer()
            offsets = dict(await consumer.seek_to_committed())
            self._go_on_from_what_is_applied(consumer, offsets)
            # Without a committed offset aiokafka stays where it is, which may be behind records that were
            # fetched before a rebalance and never applied.
            fresh = [tp for tp, offset in offsets.items() if not offset]
            if fresh and self.app.conf.consumer_auto_offset_reset == "earliest":
                await consumer.seek_to_beginning(*fresh)
            # A committed offset of 0 is none to Faust, and so it is here: nothing of the log was applied.
            self._reached = {ensure_TP(tp): offset for tp, offset in offsets.items() if offset}
            self.delivered = {}
            self.seeks += 1
            return cast(Mapping[TP, int], offsets)

    def _go_on_from_what_is_applied(self, consumer: Any, offsets: dict[Any, int | None]) -> None:
        """Seek to what the app says is applied, where the group's committed offset is older than that.

        Of a log that is to be read again there is no committed offset.
        """
        applied: Mapping[TP, int] = getattr(self.app, "source_offsets", dict)()
        self.stale = {tp for tp in map(ensure_TP, offsets) if (offsets[tp] or 0) < applied.get(tp, 0)}
        if self.stale:
            said = ", ".join(f"{tp.topic}-{tp.partition}: {offsets[tp]}, {applied[tp]}" for tp in self.stale)
            LOG.error("the group's offsets are older than what is applied; going on there (%s)", said)
        for tp in self.stale:
            consumer.seek(TopicPartition(*tp), applied[tp])
            offsets[tp] = applied[tp]
        again: Set[TP] = getattr(self.app, "read_again", set)()
        offsets.update({tp: 0 for tp in offsets if ensure_TP(tp) in again})

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's signature
        max_records: int | None = None,
    ) -> Any:
        async with self._turn:
            timeout = self._go_on(consumer, timeout)
            fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
            self._gather(consumer._fetcher, bool(fetched))
            assignment = consumer._subscription.subscription.assignment
            for tp in fetched or ():
                self._linger(consumer, tp, assignment.state_value(tp))
            batches = {
                tp: self._handed_over(ensure_TP(tp), records, assignment.state_value(TopicPartition(*tp)))
                for tp, records in (fetched or {}).items()
            }
            self._note_delivered(assignment)
            return batches

    def _linger(self, consumer: Any, tp: TopicPartition, state: Any) -> None:
        """Let a log gather records before it is fetched again, if its streams are in no hurry.

        Nothing was fetched ahead of it: what has come is handed over, and what is under way was asked for
        while it was still kept here, so it is not among that.
        """
        linger_s: float = getattr(self.app, "linger_s", lambda _: 0.0)(tp.topic)
        if not linger_s or state is None or not state.has_valid_position or tp in consumer._fetcher._records:
            return
        if state.lso is None or state.lso - state.position < BACKLOG:
            consumer.pause(tp)
            self._lingering[tp] = time.monotonic() + linger_s

    def _go_on(self, consumer: Any, timeout: float | None) -> float | None:
        """Fetch from partitions again whose time is up; return how long to wait for records at most."""
        now = time.monotonic()
        for tp in [tp for tp, until in self._lingering.items() if until <= now]:
            del self._lingering[tp]
            if consumer._subscription.is_assigned(tp):
                consumer.resume(tp)
        if not self._lingering or timeout is None:
            return timeout
        return min(timeout, min(self._lingering.values()) - now)

    @staticmethod
    def _gather(fetcher: Any, records_come: bool) -> None:
        """Have the next fetches answered at the first record, or after a while where records come anyway."""
        fetcher._fetch_max_wait_ms = GATHER_MS if records_come else FETCH_WAIT_MS
        fetcher._fetch_min_bytes = GATHER_BYTES if records_come else 1

    def _handed_over(self, tp: TP, records: list[Any], state: Any) -> _Fetched:
        position = state.position if state is not None and state.has_valid_position else 0
        start, end = self._reached.get(tp), max(records[-1].offset + 1, position)
        self._reached[tp] = end
        return _Fetched(PartitionBatch(records, start, end), self.seeks)

    def _note_delivered(self, assignment: Any) -> None:
        """Note how far every partition is; nothing is being taken now."""
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        self.delivered = {
            ensure_TP(tp): Delivered(self._reached.get(ensure_TP(tp)), state.position)
            for tp, state in states.items()
            if state is not None and state.has_valid_position
        }


class Consumer(driver.Consumer):
    """Faust's consumer, delivering the topics with the columnar codec by partition batch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._delivered: dict[TP, deque[int]] = {}
        """The last offsets of batches that a stream has yet to acknowledge, in order."""
        self._room = asyncio.Event()
        super().__init__(*args, **kwargs)

    @property
    def member(self) -> Member:
        """The membership in which the present partitions were assigned."""
        assert self._thread.member is not None, "no partitions were ever assigned"
        return cast(Member, self._thread.member)

    def _new_consumer_thread(self) -> ConsumerThread:
        thread_loop = uvloop.new_event_loop()  # it copies all that is fetched
        return ConsumerThread(self, thread_loop=thread_loop, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> Any:
        return super()._to_message(tp, consumer_record(tp, record))

    def _batched_topics(self) -> set[str]:
        return {
            name
            for topic in self.app.topics
            if getattr(topic, "value_serializer", None) == BATCH_CODEC
            for name in topic.topics
        }

    def _new_offset(self, tp: TP) -> int | None:
        """Return what can be committed: up to where every batch that was delivered is acknowledged.

        Faust counts a message as one offset, and would take the records inside a batch for a gap.
        """
        delivered = self._delivered.get(tp)
        if delivered is None:
            return cast("int | None", super()._new_offset(tp))
        end = None
        while delivered and delivered[0] in self._acked_index[tp]:
            end = delivered.popleft() + 1
        if end is not None:
            self._acked[tp] = [offset for offset in self._acked[tp] if offset >= end]
            self._acked_index[tp] = set(self._acked[tp])
        return end

    async def perform_seek(self) -> None:
        """Seek to the committed offsets: the next batch of each partition starts there."""
        self._delivered.clear()
        await super().perform_seek()
        on_positions = getattr(self.app, "on_positions", None)
        if on_positions is not None:
            committed = {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}
            on_positions(committed, self._thread.stale)

    def on_buffer_drop(self, tp: TP) -> None:
        """Go on fetching a partition whose stream has room again."""
        super().on_buffer_drop(tp)
        self._room.set()

    async def _wait_for_room(self) -> None:
        """Wait until a stream has room; where all of them are full, Faust looks again after a second."""
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), ROOM_TIMEOUT_S)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109  # Faust's
        """Yield (partition, message): a batch for a columnar topic, single records for the others."""
        if self.flow_active and not self.app.client_only and not self._get_active_partitions():
            await self._wait_for_room()
            return
        fetched, active = await self._wait_next_records(min(timeout, FETCH_TIMEOUT_S))
        if not fetched or self.should_stop:
            return
        generation = self.app.consumer_generation_id
        batched = self._batched_topics()
        for tp, (batch, seeks) in cast(Mapping[TP, _Fetched], fetched).items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # a rebalance is under way; its end seeks to the committed offsets
            if seeks != self._thread.seeks:
                continue
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in batched:
                message = self._to_message(tp, batch.records[-1])
                message.key, message.value = None, batch
                # Faust looks for gaps between messages, and would file every batch as one.
                self._read_offset[tp] = message.offset - 1
                if self.app.topics.acks_enabled_for(tp.topic):
                    self._delivered.setdefault(tp, deque()).append(message.offset)
                yield tp, message
            else:
                for record in batch.records:
                    yield tp, self._to_message(tp, record)


class Transport(driver.Transport):
    """What the entry point names."""

    Consumer = Consumer
