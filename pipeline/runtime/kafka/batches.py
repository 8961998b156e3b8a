"""Record batches as Kafka has them: their heads, and their records, read whole or not at all.

    bytes of a fetch -> Head of each batch -> (inflate, bounded) -> aiokafka's parser -> all records
                                                                 -> UnreadBatchError: why not

What never changes: the offsets of a batch's records rise, and lie between its first and its last offset.
Source of the format: Kafka's documentation of batches and records.
"""

from __future__ import annotations

import hashlib
import struct
from operator import lt
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch

from pipeline.runtime.kafka.fetched import DeadBatch
from pipeline.runtime.kafka.inflating import CODECS, TooLargeError, UnreadableError, inflate

TOO_LARGE, UNREADABLE = "batch_too_large", "batch_unreadable"

RECORDS_MAX = 2**18
"""Most records of a batch: 8 MiB, as a topic takes them, of 32 bytes each; an event takes 100 or more."""
HEADERS_MAX = 2**20
"""Most headers of a batch's records, all together: one of two bytes becomes an object of 70."""
HEADERS_COUNTED_FROM_BYTES = 2**21
"""Smaller batches hold so few headers that nobody needs to count them."""

_HEAD = struct.Struct(">qiibIhiqqqhii")
LENGTH_FROM = 12
"""A batch's length counts what comes behind itself."""
_LENGTH_MIN = _HEAD.size - LENGTH_FROM
_MAGIC = 2
_CODEC, _CONTROL, _TRANSACTIONAL = 0x07, 0x20, 0x10
_DEFLATED_ATTRIBUTES = ~_CODEC
_LENGTH_AT = struct.Struct(">qi")
_MAGIC_AT = 16


class UnreadBatchError(ValueError):
    """The records of a batch cannot be had."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Head(NamedTuple):
    """What stands in front of the records of a batch."""

    first: int
    """The offset of the first record."""
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    """From the first offset to the last one."""
    first_timestamp: int
    last_timestamp: int
    producer_id: int
    """-1: a producer that is neither idempotent nor transactional."""
    producer_epoch: int
    sequence: int
    held: int
    """How many records it says that it holds."""

    @property
    def last(self) -> int:
        """The offset of the last record."""
        return self.first + self.last_delta

    @property
    def codec(self) -> int:
        """The number of the codec; 0: none."""
        return self.attributes & _CODEC

    @property
    def is_control(self) -> bool:
        """Whether it is a marker of a transaction."""
        return bool(self.attributes & _CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether it belongs to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)


class Batch(NamedTuple):
    """A batch among the bytes of a fetch."""

    head: Head | None
    """None where it is cut, has another format than Kafka's since 0.11, or ends before it starts."""
    data: memoryview

    @property
    def first(self) -> int:
        """The offset that it starts at, by its first bytes, which no checksum covers."""
        return int(_LENGTH_AT.unpack_from(self.data)[0])


def batch_at(data: memoryview, at: int) -> Batch | None:
    """Return the batch that starts there, None where the rest of the bytes is no whole one."""
    if len(data) - at < LENGTH_FROM:
        return None
    _, length = _LENGTH_AT.unpack_from(data, at)
    stop = at + LENGTH_FROM + length
    if length < 0 or stop > len(data):
        return None
    if length < _LENGTH_MIN or data[at + _MAGIC_AT] != _MAGIC:
        return Batch(None, data[at:stop])
    head = Head._make(_HEAD.unpack_from(data, at))
    return Batch(None if head.last_delta < 0 else head, data[at:stop])


def records_of(batch: Batch, head: Head, parsed: Any) -> tuple[list[Any], int]:
    """Return the records of a batch, all of them, and how many bytes it was inflated to (0: it was not).

    `parsed`: aiokafka's batch, of which nothing was read. Raises UnreadBatchError, MemoryError.
    """
    if not 0 <= head.held <= RECORDS_MAX:
        raise UnreadBatchError(TOO_LARGE, f"says that it has {head.held} records, {RECORDS_MAX} at most")
    data: bytes | memoryview = batch.data
    inflated = 0
    try:
        if head.codec:
            pieces = inflate(head.codec, batch.data[_HEAD.size :])
            plain = head._replace(attributes=head.attributes & _DEFLATED_ATTRIBUTES)
            data = b"".join((_HEAD.pack(*plain), *pieces))
            inflated = len(data)
            parsed = DefaultRecordBatch(data)
        if len(data) > HEADERS_COUNTED_FROM_BYTES:
            _require_few_headers(data, head.held)
        records = list(parsed)
    except TooLargeError as error:
        raise UnreadBatchError(TOO_LARGE, str(error)) from error
    except UnreadableError as error:
        raise UnreadBatchError(UNREADABLE, str(error)) from error
    except (UnreadBatchError, MemoryError):  # the latter says nothing of the batch
        raise
    except Exception as error:  # whatever a parser makes of bytes that are no records
        raise UnreadBatchError(UNREADABLE, f"its records: {_line(error)}") from error
    offsets = [record.offset for record in records]
    if offsets and not (
        head.first <= offsets[0] and offsets[-1] <= head.last and all(map(lt, offsets, offsets[1:]))
    ):
        raise UnreadBatchError(UNREADABLE, "its records' offsets do not rise, or are not its own")
    return records, inflated


def _require_few_headers(body: bytes | memoryview, count: int) -> None:
    """Raise UnreadBatchError where the records have more headers than HEADERS_MAX, all together.

    `body`: the batch with its head, not packed.
    """
    at, headers = _HEAD.size, 0
    for _ in range(count):
        length, at = _varint(body, at)
        behind = at + length
        at += 1  # attributes
        for _ in range(2):  # time, offset
            _, at = _varint(body, at)
        for _ in range(2):  # key, value
            size, at = _varint(body, at)
            at += max(size, 0)
        found, _ = _varint(body, at)
        headers += found
        if headers > HEADERS_MAX:
            raise UnreadBatchError(TOO_LARGE, f"its records have more than {HEADERS_MAX} headers")
        at = behind


def _varint(body: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return a number, and where it ends. Raises IndexError, UnreadBatchError."""
    raw = shift = 0
    while shift < 70:
        octet = body[at]
        at += 1
        raw |= (octet & 0x7F) << shift
        if octet < 0x80:
            return (raw >> 1) ^ -(raw & 1), at
        shift += 7
    raise UnreadBatchError(UNREADABLE, "a number in it is too long")


def dead_batch(batch: Batch, first: int, last: int, code: str, detail: str) -> DeadBatch:
    """Return what stands for a batch, or for a part of it."""
    head = batch.head
    return DeadBatch(
        first=first,
        offset=last,
        timestamp=-1 if head is None else head.last_timestamp,
        code=code,
        detail=detail,
        codec="unknown" if head is None else CODECS.get(head.codec, str(head.codec)),
        packed_bytes=len(batch.data),
        digest=hashlib.sha256(batch.data).hexdigest(),
        producer_id=None if head is None or head.producer_id < 0 else head.producer_id,
    )


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:200]
