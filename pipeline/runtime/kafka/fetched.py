"""What a fetch brings: the records of one partition, and how far in its log they reach.

A batch that cannot be read is handed on as the range of offsets that it takes (`DeadBatch`), without records.

A batch names where it starts and where it ends in the log, so that whoever applies batches can tell that none
was dropped on the way: each must start where the last one ended. Offsets of control records lie inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from aiokafka.structs import ConsumerRecord


@dataclass(frozen=True, slots=True)
class DeadBatch:
    """A range of offsets whose records are not given, and why. Where records are looked at, it is one."""

    first: int
    offset: int
    """The last one."""
    timestamp: int
    """Kafka's time of its newest record, milliseconds UTC."""
    code: str
    """One of `schemas.dead_letter_codes`."""
    detail: str
    codec: str
    packed_bytes: int
    """The size of the batch as Kafka has it."""
    digest: str
    """SHA-256 of the batch as Kafka has it."""
    producer_id: int | None
    """Kafka's number of an idempotent or transactional producer."""
    timestamp_type: ClassVar[int] = 1
    key: ClassVar[None] = None
    value: ClassVar[None] = None
    headers: ClassVar[tuple[()]] = ()


class PartitionBatch(NamedTuple):
    """The records of one partition that were fetched together."""

    records: list[Any]
    """Parsed records (`patches.Reading`), in offset order; empty only where there is `dead`."""
    start: int | None
    """The offset that the fetch started from; None where no offset was committed yet."""
    end: int
    """The offset to commit once it is applied: behind the last record and the control records there."""
    dead: DeadBatch | None = None
    """What comes behind the records and cannot be read."""

    @property
    def last(self) -> Any:
        """The last record, or what stands for it."""
        return self.records[-1] if self.dead is None else self.dead


class Fetched(NamedTuple):
    """What the consumer's thread hands over of one partition."""

    batch: PartitionBatch
    seeks: int
    """How many seeks came before: a batch from before the last seek will be fetched again."""


class Delivered(NamedTuple):
    """How far a partition is delivered, as of one moment between two fetches."""

    end: int | None
    """Where the last batch that was handed over ends; before the first one, the committed offset."""
    position: int
    """Where the next fetch starts: in between are control records only, which are never handed over."""


class FetchState(NamedTuple):
    """How far a log is read, and where it ends."""

    end: int
    """The offset behind its committed records, as of the last answer of the broker."""
    delivered: Delivered | None
    """None where nothing was fetched since the last seek."""
    high_watermark: int = 0
    """The offset behind all its records, those of open transactions included, as of the same answer."""
    asked_us: int | None = None
    """A time before the broker was asked for that answer, microseconds UTC: what it says may be older than
    its coming, but not older than this. None: not known yet."""

    @property
    def log_end(self) -> int:
        """The offset behind all records of the log."""
        return max(self.end, self.high_watermark)

    def reached(self, committed: int | None) -> int:
        """Return up to where the log is read and committed; `committed`: by its task."""
        if self.delivered is not None and self.delivered.end == committed:
            # All that was delivered is committed. After it may be control records, which are never delivered.
            return self.delivered.position
        return committed or 0


def consumer_record(tp: Any, record: Any) -> ConsumerRecord[bytes, bytes]:
    """Return a parsed record of a partition as aiokafka's ConsumerRecord."""
    key, value = record.key, record.value
    sizes = (-1 if part is None else len(part) for part in (key, value))
    about = tp.topic, tp.partition, record.offset, record.timestamp, record.timestamp_type
    return ConsumerRecord(*about, key, value, None, *sizes, tuple(record.headers))
