"""Faust's consumer thread, which fetches: committed records only, and each fetch says how far it reached.

assigned -> membership kept -> seek to where each log is resumed -> fetch -> batches of one partition each
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline.runtime.kafka.fetched import DeadBatch, Delivered, Fetched, FetchState, PartitionBatch
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.patches import Reading
from pipeline.runtime.kafka.positions import Positions
from pipeline.runtime.kafka.quarantine import Quarantine

LOG = logging.getLogger(__name__)
FETCH_WAIT_MS = 100
"""The broker answers a fetch at the latest after this time. aiokafka has one request per broker under way, so
a partition that becomes free in between waits for it."""
GATHER_MS = 5
GATHER_BYTES = 64 * 2**10
"""While records come, a fetch gathers so much, but not for longer: what a batch costs hardly depends on its
length, and each would hold a record or two."""
BACKLOG = 1_000
"""Offsets that are known to be left to read of a log, from which on it does not linger."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records only and saying how far each fetch reached.

    Taking records and seeking exclude each other. Otherwise records taken between the seek of their partition
    and the end of the whole seek are dropped by a flow that is still stopped, and nobody fetches them again.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turn = asyncio.Lock()
        self._reading = Reading(self._quarantined, self._note_batch)
        self._reached: dict[TP, int] = {}
        self.delivered: dict[TP, Delivered] = {}
        """For other threads. While records are taken, aiokafka's own position is ahead of what was handed
        over, so that by it a partition would look read to its end before its last records are applied."""
        self._answers: dict[TP, tuple[int, int | None]] = {}
        """When the newest answer about a partition came, and the one before, milliseconds UTC. aiokafka asks
        anew when it has an answer, so the newest one was asked for after the one before had come."""
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
        consumer._key_deserializer = self._reading
        return consumer

    def _note_batch(self, place: TopicPartition | None, first: int, last: int) -> None:
        """Note what is about to be inflated, or that nothing is."""
        self.positions.note_batch(place, first, last)

    def _quarantined(self, place: TopicPartition) -> Sequence[Quarantine]:
        """Return what people have decided not to read of a log."""
        return self.positions.quarantined.get(place, ())

    @property
    def positions(self) -> Positions:
        """What the app knows of where its logs are resumed."""
        return cast(Positions, self.transport.positions)

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
            self._resume_from_what_is_applied(consumer, offsets)
            await self._begin_where_logs_begin(consumer, offsets)
            # A committed offset of 0 is none to Faust, and so it is here: nothing of the log was applied.
            self._reached = {ensure_TP(tp): offset for tp, offset in offsets.items() if offset}
            self.delivered = {}
            self.seeks += 1
            return cast(Mapping[TP, int], offsets)

    def _resume_from_what_is_applied(self, consumer: Any, offsets: dict[Any, int | None]) -> None:
        """Seek to what the app says is applied, where the group's committed offset is older than that.

        Of a log that is to be read again there is no committed offset.
        """
        applied = self.positions.source_offsets
        self.stale = {tp for tp in map(ensure_TP, offsets) if (offsets[tp] or 0) < applied.get(tp, 0)}
        if self.stale:
            shown = ", ".join(f"{tp.topic}-{tp.partition}: {offsets[tp]}, {applied[tp]}" for tp in self.stale)
            LOG.error("the group's offsets are older than what is applied; resuming there (%s)", shown)
        for tp in self.stale:
            consumer.seek(TopicPartition(*tp), applied[tp])
            offsets[tp] = applied[tp]
        again = self.positions.read_again
        offsets.update({tp: 0 for tp in offsets if ensure_TP(tp) in again})

    async def _begin_where_logs_begin(self, consumer: Any, offsets: dict[Any, int | None]) -> None:
        """Seek logs without an offset to their beginning, and ask the app about those that begin later.

        Without a committed offset aiokafka stays where it is, which may be behind records that were fetched
        before a rebalance and never applied.
        """
        firsts = await consumer.beginning_offsets(list(offsets))
        for tp, first in firsts.items():
            position = offsets[tp] or 0
            if position < first:
                self.positions.require(ensure_TP(tp), position, first)
            if position and position >= first:
                continue
            if self.app.conf.consumer_auto_offset_reset == "latest":
                continue
            consumer.seek(TopicPartition(*tp), first)
            if first:
                offsets[tp] = first
                self.stale.add(ensure_TP(tp))  # so that the new place is committed, before any record

    async def _out_of_range(self, consumer: Any, positions: Mapping[Any, int]) -> None:
        """Ask the app about logs that have lost, while they were read, what comes next."""
        firsts = await consumer.beginning_offsets(list(positions))
        ends = await consumer.end_offsets(list(positions))
        for tp, position in positions.items():
            LOG.error("%s-%d has no offset %d: %d..%d", *tp, position, firsts[tp], ends[tp])
            if not firsts[tp] <= position <= ends[tp]:  # else a leader was behind for a moment
                self.positions.require(ensure_TP(tp), position, firsts[tp], ends[tp])

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's signature
        max_records: int | None = None,
    ) -> Any:
        async with self._turn:
            timeout = self._end_lingering(consumer, timeout)
            try:
                fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
            except OffsetOutOfRangeError as error:
                await self._out_of_range(consumer, error.args[0])
                fetched = {}
            except NoOffsetForPartitionError as error:
                # Between an assignment and the seek that follows it, which seeks every partition.
                LOG.info("not sought yet: %s", error)
                fetched = {}
            self._reading.refill()
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
        """Pause a log whose streams tolerate delay, so that records gather before it is fetched again.

        A pause makes aiokafka drop what it has fetched ahead, so there must be none: all that has come is
        handed over, and the fetch that is under way was sent while this log's records were still here, so it
        does not include the log.
        """
        linger_s = self.positions.linger_s(tp.topic)
        if not linger_s or state is None or not state.has_valid_position or tp in consumer._fetcher._records:
            return
        if state.lso is None or state.lso - state.position < BACKLOG:
            consumer.pause(tp)
            self._lingering[tp] = time.monotonic() + linger_s

    def _end_lingering(self, consumer: Any, timeout: float | None) -> float | None:
        """Resume partitions whose pause is over; return how long to wait for records at most."""
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
        """Have the next fetches answered at the first record, or a little later while records are coming."""
        fetcher._fetch_max_wait_ms = GATHER_MS if records_come else FETCH_WAIT_MS
        fetcher._fetch_min_bytes = GATHER_BYTES if records_come else 1

    def _handed_over(self, tp: TP, records: list[Any], state: Any) -> Fetched:
        position = state.position if state is not None and state.has_valid_position else 0
        start, end = self._reached.get(tp), max(records[-1].offset + 1, position)
        self._reached[tp] = end
        dead = records.pop() if type(records[-1]) is DeadBatch else None  # a fetch ends with one
        return Fetched(PartitionBatch(records, start, end, dead), self.seeks)

    def _note_delivered(self, assignment: Any) -> None:
        """Note how far every partition is; nothing is being taken now."""
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        self.delivered = {
            ensure_TP(tp): Delivered(self._reached.get(ensure_TP(tp)), state.position)
            for tp, state in states.items()
            if state is not None and state.has_valid_position
        }
        for tp, state in states.items():
            came = None if state is None else state.timestamp
            known = self._answers.get(ensure_TP(tp))
            if came is not None and (known is None or known[0] != came):
                self._answers[ensure_TP(tp)] = came, None if known is None else known[0]

    def state_of(self, tp: TP) -> FetchState | None:
        """Return how far a log is fetched; None where it is not, or not yet. From any thread."""
        consumer = self._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        partition = TopicPartition(*tp)
        if not assignment or partition not in assignment.tps:
            return None
        state = assignment.state_value(partition)
        if state is None or not state.has_valid_position or state.lso is None or state.lso < 0:
            return None
        _, before_ms = self._answers.get(tp, (None, None))  # before the ends, which are newer if anything
        asked_us = None if before_ms is None else before_ms * 1000
        return FetchState(state.lso, self.delivered.get(tp), state.highwater or 0, asked_us)
