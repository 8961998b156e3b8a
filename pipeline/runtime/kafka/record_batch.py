"""Kafka record batches (format v2) of many records at once, from columns of keys and values.

    keys, values --> lengths --> varints, by lookup --> one join: all records as bytes --> header, CRC-32C

aiokafka's own builder takes a record at a time, some 4 us each; this takes 0.4 us. The bytes are the same
(compared by a property test). Source of the format: Kafka's documentation of batches and records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from aiokafka.record.util import calc_crc32c

from pipeline.runtime.kafka.records import Columns

_HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC_AT = 17
_CHECKED_FROM = 21
"""The CRC covers everything behind itself."""
_BEFORE_LENGTH = 12
_MAGIC = 2
_TRANSACTIONAL = 0x10
_NO_LEADER_EPOCH = -1

RECORD_BYTES_MAX = 2**14 - 64
"""Longer records need longer varints than the table has: aiokafka's builder takes those."""
BATCH_RECORDS_MAX = 2**13

_EMPTY = pa.scalar(b"", pa.binary())
_NO_HEADERS = pa.scalar(b"\0", pa.binary())
_NO_ATTRIBUTES_NO_DELAY = pa.scalar(b"\0\0", pa.binary())
"""Attributes of a record (unused), and its timestamp relative to the batch's."""


def _varints(count: int) -> pa.Array:
    """Return the zigzag varints of -1, 0, 1, ... count - 2, which have three bytes at most."""
    number = np.arange(-1, count - 1)
    zigzag = (number << 1) ^ (number >> 63)
    size = 1 + (zigzag > 0x7F) + (zigzag > 0x3FFF)
    octets = np.stack([zigzag & 0x7F, zigzag >> 7 & 0x7F, zigzag >> 14], 1).astype(np.uint8)
    octets |= np.where(np.arange(1, 4) < size[:, None], 0x80, 0).astype(np.uint8)
    data = octets[np.arange(3) < size[:, None]]
    offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int32)
    return pa.BinaryArray.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data.tobytes())]
    )


_VARINTS = _varints(2**14 + 1)
_VARINT_BYTES = np.diff(np.frombuffer(_VARINTS.buffers()[1], np.int32))


class ColumnBatch:
    """A full batch, in the form that aiokafka's accumulator takes instead of its own builder."""

    def __init__(self, body: Any, count: int, timestamp: int) -> None:
        """Take the records (any buffer of bytes), their number, and their time in milliseconds."""
        self._body = body
        self._count = count
        self._timestamp = timestamp
        self._producer = (-1, -1, 0)
        self._buffer: bytearray | None = None

    def closed(self) -> bool:
        """Return True: no record can be added."""
        return True

    def close(self) -> None:
        """Do nothing: the batch is full."""

    def append(self, **_: Any) -> None:
        """Return None, as a batch that is full does."""

    def record_count(self) -> int:
        """Return the number of records."""
        return self._count

    def size(self) -> int:
        """Return the size in bytes, header included."""
        return _HEADER.size + len(self._body)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytearray:
        if self._buffer is None:
            buffer = bytearray(self.size())
            last, time = self._count - 1, self._timestamp
            _HEADER.pack_into(
                buffer, 0, 0, len(buffer) - _BEFORE_LENGTH, _NO_LEADER_EPOCH, _MAGIC, 0, _TRANSACTIONAL,
                last, time, time, *self._producer, self._count,
            )  # fmt: skip
            buffer[_HEADER.size :] = self._body
            struct.pack_into(">I", buffer, _CRC_AT, calc_crc32c(memoryview(buffer)[_CHECKED_FROM:]))
            self._buffer = buffer
        return self._buffer


def column_batches(records: Columns, timestamp: int, bytes_max: int) -> Iterator[ColumnBatch] | None:
    """Return batches of about `bytes_max` (a record longer than that has one of its own).

    Returns None where a record is too long for this way.
    """
    key_bytes, value_bytes = _lengths(records.keys), _lengths(records.values)
    length = np.maximum(key_bytes, 0) + np.maximum(value_bytes, 0)
    if len(length) and int(length.max()) > RECORD_BYTES_MAX:
        return None
    return _cut(records, key_bytes, value_bytes, length, timestamp, bytes_max)


def _cut(
    records: Columns,
    key_bytes: np.ndarray,
    value_bytes: np.ndarray,
    length: np.ndarray,
    timestamp: int,
    bytes_max: int,
) -> Iterator[ColumnBatch]:
    # Beside key and value a record has at most 3 bytes for each of four varints, and three bytes more.
    ends = np.cumsum(length + 15)
    start = 0
    while start < len(length):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + bytes_max - _HEADER.size, "right"))
        stop = max(start + 1, min(stop, start + BATCH_RECORDS_MAX))
        part = slice(start, stop)
        body = _body(
            records.keys.slice(start, stop - start),
            records.values.slice(start, stop - start),
            key_bytes[part],
            value_bytes[part],
            length[part],
        )
        yield ColumnBatch(body, stop - start, timestamp)
        start = stop


def _body(
    keys: pa.Array, values: pa.Array, key_bytes: np.ndarray, value_bytes: np.ndarray, length: np.ndarray
) -> memoryview:
    """Return the records as bytes, one after another."""
    delta = np.arange(len(keys))
    inner = (
        3 + length + _VARINT_BYTES[delta + 1] + _VARINT_BYTES[key_bytes + 1] + _VARINT_BYTES[value_bytes + 1]
    )
    joined = pc.binary_join_element_wise(
        _VARINTS.take(pa.array(inner + 1)),
        _NO_ATTRIBUTES_NO_DELAY,
        _VARINTS.take(pa.array(delta + 1)),
        _VARINTS.take(pa.array(key_bytes + 1)),
        keys,
        _VARINTS.take(pa.array(value_bytes + 1)),
        values,
        _NO_HEADERS,
        _EMPTY,
        null_handling="replace",
        null_replacement=b"",
    )
    start, end = np.frombuffer(joined.buffers()[1], np.int32)[[joined.offset, joined.offset + len(joined)]]
    return memoryview(joined.buffers()[2])[start:end]


def _lengths(column: pa.Array) -> np.ndarray:
    """Return the length of each cell in bytes, -1 for null."""
    found: np.ndarray = (
        pc.fill_null(pc.binary_length(column), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return found
