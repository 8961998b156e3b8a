"""The columnar transport: one Faust message for all records that were fetched of one partition.

Picked by the broker's URL: `broker="columnar://host:9092"` (entry point `faust.transports`). A topic declared
with `value_serializer="columnar"` is delivered in batches: the message's value is a `PartitionBatch`. Every
other topic is delivered record by record, as Faust does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import faust
import uvloop
from faust.serializers import codecs
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.runtime.kafka import patches
from pipeline.runtime.kafka.consumer_thread import ConsumerThread
from pipeline.runtime.kafka.fetched import Fetched, FetchState, consumer_record
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.patches import CorruptLogError
from pipeline.runtime.kafka.positions import GroupPositions, Positions

BATCH_CODEC = "columnar"
FETCH_TIMEOUT_S = 0.2
"""How long a fetch waits for records before others, such as a seek, have their turn."""
ROOM_TIMEOUT_S = 0.1
"""How long it takes at most until new partitions are noticed where none could be fetched from."""


class _Untouched(faust.Codec):
    """Lets a batch through Faust's decoding as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


codecs.register(BATCH_CODEC, _Untouched())


class Consumer(driver.Consumer):
    """Faust's consumer, delivering the topics with the columnar codec by partition batch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._delivered: dict[TP, deque[int]] = {}
        """The last offsets of batches that a stream has yet to acknowledge, in order."""
        self._room = asyncio.Event()
        super().__init__(*args, **kwargs)

    @property
    def member(self) -> Member:
        """The membership in which the present partitions were assigned; there must be some."""
        assert self._thread.member is not None, "no partitions were ever assigned"
        return cast(Member, self._thread.member)

    def fetch_state(self, tp: TP) -> FetchState | None:
        """Return how far a log is fetched; None where it is not, or not yet. From any thread."""
        return cast(ConsumerThread, self._thread).state_of(tp)

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
        committed = {tp: offset for tp, offset in self._committed_offset.items() if offset is not None}
        self.transport.positions.expect(committed, self._thread.stale)

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
        """Yield (partition, message): a batch for a columnar topic, single records for the others.

        Raises CorruptLogError where one of the latter cannot be read.
        """
        if self.flow_active and not self.app.client_only and not self._get_active_partitions():
            await self._wait_for_room()
            return
        fetched, active = await self._wait_next_records(min(timeout, FETCH_TIMEOUT_S))
        if not fetched or self.should_stop:
            return
        generation = self.app.consumer_generation_id
        batched = self._batched_topics()
        for tp, (batch, seeks) in cast(Mapping[TP, Fetched], fetched).items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # a rebalance is under way; its end seeks to the committed offsets
            if seeks != self._thread.seeks:
                continue
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in batched:
                message = self._to_message(tp, batch.last)
                message.key, message.value = None, batch
                # Faust looks for gaps between messages, and would file every batch as one.
                self._read_offset[tp] = message.offset - 1
                if self.app.topics.acks_enabled_for(tp.topic):
                    self._delivered.setdefault(tp, deque()).append(message.offset)
                yield tp, message
            else:
                for record in batch.records:
                    yield tp, self._to_message(tp, record)
                if batch.dead is not None:
                    raise CorruptLogError(tp, batch.dead)


class Transport(driver.Transport):
    """What the entry point names. Making one installs the change in aiokafka (`patches`).

    Raises UnsupportedVersion where aiokafka has another version than `patches.MADE_FOR`.
    """

    Consumer = Consumer
    positions: Positions
    """What the app knows of where its logs are resumed; an app may set its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        patches.install()
        super().__init__(*args, **kwargs)
        self.positions = GroupPositions()
