"""What has to be changed in aiokafka for the whole process: three names, for one version.

    FetchRequest's bytes -> FetchedBytes -> PartitionRecords of aiokafka   for others' consumers
                                         -> ParsedRecords                  for ours (`Reading`)

aiokafka inflates a batch to whatever size it comes to, never gets past one that it cannot parse, and copies
each parsed record into a ConsumerRecord, which costs more than fetching and parsing it. Our consumers ask for
the parsed records themselves (`key_deserializer=Reading(...)`), which are read batch by batch, bounded. All
others in the process get what aiokafka gives, so the change is seen only by those that ask for it.

That has to be made in the module, because the fetcher looks the classes up there by name. It can go when
aiokafka bounds what it inflates, and lets a consumer choose what its records are made of (such as
`AIOKafkaConsumer(record_factory=...)`).

The third name is the `close` of a connection (`closing`), which then waits less under TLS; it is for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import aiokafka
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

from pipeline.runtime.kafka import closing
from pipeline.runtime.kafka.batches import (
    UNREADABLE,
    Batch,
    Head,
    UnreadBatchError,
    batch_at,
    dead_batch,
    records_of,
)
from pipeline.runtime.kafka.fetched import DeadBatch
from pipeline.runtime.kafka.inflating import FETCH_BYTES_MAX
from pipeline.runtime.kafka.quarantine import CODE as QUARANTINED
from pipeline.runtime.kafka.quarantine import Quarantine

MADE_FOR = "0.14.0"
"""The version of aiokafka whose private parts this folder knows."""
CRC_TRIES_MAX = 3
"""A batch whose checksum is wrong is fetched again so often: the bytes may be right at the broker."""
CRC_PLACES_MAX = 1_000


class UnsupportedVersion(RuntimeError):
    """aiokafka has another version than the one that this package was made for."""


class CorruptLogError(RuntimeError):
    """A log that only the streams write has a batch that cannot be read."""

    def __init__(self, place: Any, dead: DeadBatch) -> None:
        """`place`: topic and partition."""
        about = f"{place.topic}[{place.partition}]@{dead.first}"
        about += "" if dead.offset == dead.first else f" to {dead.offset}"
        super().__init__(f"{about} cannot be read: {dead.code}, {dead.detail} ({dead.codec})")


def require_version() -> None:
    """Raises UnsupportedVersion where aiokafka has another version than MADE_FOR."""
    if aiokafka.__version__ != MADE_FOR:
        raise UnsupportedVersion(
            f"aiokafka {aiokafka.__version__} is installed, this version of Ledgerflow needs {MADE_FOR}:"
            f" pip install aiokafka=={MADE_FOR}"
        )


class Reading:
    """How a consumer of ours reads batches; its `key_deserializer`, which is where aiokafka hands it on.

    The consumer gets parsed records, which have offset, timestamp, timestamp_type, key, value and headers. A
    batch that cannot be read, or is quarantined, comes as a `DeadBatch`, and what was fetched ends there: the
    rest is fetched again. Without `install` the consumer gets ConsumerRecords, which have the same and more.
    """

    def __init__(
        self,
        quarantined: Callable[[Any], Sequence[Quarantine]] | None = None,
        on_batch: Callable[[Any, int, int], None] = lambda *_: None,
    ) -> None:
        """`quarantined`: from a partition to what is not read of it; None: it is a log of the streams' own,
        of which every batch must be read, else CorruptLogError is raised. `on_batch`: told of each batch that
        is about to be inflated: its partition (None: it is done), its first and its last offset."""
        self.quarantined = quarantined
        self.on_batch = on_batch
        self._left = FETCH_BYTES_MAX
        self._bad_crcs: dict[tuple[Any, int], int] = {}

    def __call__(self, key: bytes) -> bytes:
        return key

    def ranges(self, place: Any) -> Sequence[Quarantine]:
        """Return what is quarantined of a partition."""
        return () if self.quarantined is None else self.quarantined(place)

    def refill(self) -> None:
        """Begin another fetch: as much may be inflated again."""
        self._left = FETCH_BYTES_MAX

    @property
    def has_room(self) -> bool:
        """Whether this fetch may inflate another batch."""
        return self._left > 0 or self.quarantined is None

    def take(self, inflated: int) -> None:
        """Count what a batch was inflated to."""
        self._left -= inflated

    def fetch_again(self, place: Any, first: int) -> bool:
        """Return whether a batch with a wrong checksum is to be fetched again."""
        if len(self._bad_crcs) > CRC_PLACES_MAX:
            self._bad_crcs.clear()
        tries = self._bad_crcs[place, first] = self._bad_crcs.get((place, first), 0) + 1
        return tries < CRC_TRIES_MAX


as_parsed = Reading()
"""For logs of the streams' own."""


class FetchedBytes:
    """What a fetch has brought of one partition: the bytes, and aiokafka's reader of them."""

    __slots__ = ("data", "has_next", "plain", "size_in_bytes")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.plain = MemoryRecords(data)
        self.has_next = self.plain.has_next
        self.size_in_bytes = self.plain.size_in_bytes


class ParsedRecords(fetcher.PartitionRecords):
    """The records of one partition: batch by batch, each whole or not at all, without copies."""

    _key_deserializer: Reading
    next_fetch_offset: int

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record

    def _unpack_records(self) -> Iterator[Any]:
        reading, plain = self._key_deserializer, self._records.plain
        data, at = memoryview(self._records.data), 0
        while (batch := batch_at(data, at)) is not None:
            at += len(batch.data)
            head = batch.head
            if head is None:
                yield self._dead_for_its_format(batch, batch_at(data, at))
                return
            parsed = plain.next_batch()
            if self._check_crcs and not parsed.validate_crc():
                if reading.fetch_again(self._tp, head.first):
                    return
                dead = self._dead_for_its_checksum(batch, batch_at(data, at))
                if dead is None:
                    continue
                yield dead
                return
            if self._is_left_out(head, parsed) or head.last < self.next_fetch_offset:
                self.next_fetch_offset = max(self.next_fetch_offset, head.last + 1)
                continue
            if head.codec and not reading.has_room:
                return
            dead = None
            for record in self._records_of(batch, head, parsed):
                self.next_fetch_offset = record.offset + 1
                yield record
                dead = record
            if type(dead) is DeadBatch:
                return
            self.next_fetch_offset = head.last + 1

    def _is_left_out(self, head: Head, parsed: Any) -> bool:
        """Return whether a batch is a marker, or of a transaction that was aborted."""
        if head.is_control and head.codec:
            return False  # no broker makes one, and to look at its marker would inflate it
        if self._isolation_level == fetcher.READ_COMMITTED:
            self._consume_aborted_up_to(head.first)
            if head.is_control and self._contains_abort_marker(parsed):
                self._aborted_producers.discard(head.producer_id)
            if head.is_transactional and head.producer_id in self._aborted_producers:
                return True
        return head.is_control

    def _records_of(self, batch: Batch, head: Head, parsed: Any) -> Sequence[Any]:
        """Return the records that were not read before; a range of them that is not given ends them."""
        reading, start = self._key_deserializer, self.next_fetch_offset
        first, last = max(head.first, start), head.last
        ranges = [one for one in reading.ranges(self._tp) if one.touches(first, last)]
        for one in ranges:
            if one.covers(first, last):
                return [self._dead(dead_batch(batch, first, last, QUARANTINED, one.detail))]
        try:
            if head.is_control:
                raise UnreadBatchError(UNREADABLE, "a marker of a transaction is never packed")
            if head.codec:
                reading.on_batch(self._tp, first, last)
            records, inflated = records_of(batch, head, parsed)
        except UnreadBatchError as error:
            return [self._dead(dead_batch(batch, first, last, error.code, str(error)))]
        finally:
            if head.codec:
                reading.on_batch(None, 0, 0)
        reading.take(inflated)
        if head.first < start:
            records = [record for record in records if record.offset >= start]
        if not ranges:
            return records
        one = ranges[0]
        dead = dead_batch(batch, max(first, one.first), min(last, one.end - 1), QUARANTINED, one.detail)
        return [*(record for record in records if record.offset < dead.first), dead]

    def _dead_for_its_format(self, batch: Batch, behind: Batch | None) -> DeadBatch:
        """Return what stands for a batch in a format that no broker of ours writes; its end is not known."""
        first = max(batch.first, self.next_fetch_offset)
        last = first if behind is None else max(first, behind.first - 1)
        text = "it is cut, or of a format of Kafka before 0.11"
        self.next_fetch_offset = last + 1
        return self._dead(dead_batch(batch, first, last, UNREADABLE, text))

    def _dead_for_its_checksum(self, batch: Batch, behind: Batch | None) -> DeadBatch | None:
        """Return what stands for a batch with a wrong checksum; None where all of it was passed before.

        Its own last offset may be wrong, and would skip what comes behind it.
        """
        assert batch.head is not None
        last = batch.first if behind is None else behind.first - 1
        if last < self.next_fetch_offset:
            return None
        first = max(batch.first, self.next_fetch_offset)
        self.next_fetch_offset = last + 1
        return self._dead(dead_batch(batch, first, last, UNREADABLE, "its checksum is wrong"))

    def _dead(self, dead: DeadBatch) -> DeadBatch:
        """Return it. Raises CorruptLogError where the log is the streams' own."""
        if self._key_deserializer.quarantined is None:
            raise CorruptLogError(self._tp, dead)
        return dead


_plain_records = fetcher.PartitionRecords
"""aiokafka's own class, from before the change."""


def _partition_records(
    tp: Any, records: Any, aborted: Any, fetch_offset: int, key_deserializer: Any, *more: Any
) -> Any:
    """Return the records of one fetched partition, in the form that their consumer asks for."""
    if isinstance(key_deserializer, Reading):
        return ParsedRecords(tp, records, aborted, fetch_offset, key_deserializer, *more)
    plain = records.plain if isinstance(records, FetchedBytes) else records
    return _plain_records(tp, plain, aborted, fetch_offset, key_deserializer, *more)


CHANGES: tuple[tuple[Any, str, Any], ...] = (
    (fetcher, "PartitionRecords", _partition_records),
    (fetcher, "MemoryRecords", FetchedBytes),
    (AIOKafkaConnection, "close", closing.close),
)
"""Whose name stands for what from now on. They belong together: one without the others breaks consumers."""


def install() -> None:
    """Make the change, once for the process; more calls do nothing.

    Raises UnsupportedVersion where aiokafka has another version than MADE_FOR.
    """
    require_version()
    for owner, name, ours in CHANGES:
        setattr(owner, name, ours)
