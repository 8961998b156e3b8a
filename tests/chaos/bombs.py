"""Hostile record batches, as bytes: they inflate to what no worker has memory for, or lie about themselves.

    records, packed by pieces -> head that says what it likes -> CRC-32C -> raw, to the broker or to a parser

A broker inflates what it is sent, by pieces, and refuses what is no batch; so it takes bombs, and few lies.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.codec import snappy_encode
from aiokafka.errors import KafkaError
from aiokafka.record.util import calc_crc32c

from pipeline.verify.model.wire import UPSTREAM

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
VALUE_BYTES = 2**16
"""Of each record of a bomb."""
BOMB_BYTES = {"gzip": 2**28, "snappy": 2**27, "lz4": 2**29, "zstd": 2**31}
"""What each codec's bomb inflates to: as much as fits into 8 MiB packed, or into the patience of a test."""
HEADERS = 2**24
"""Of one record: two bytes each, packed into some hundreds of bytes, and a gigabyte as objects."""
REQUEST_BYTES_MAX = 2**24

_FRONT, _COVERED = struct.Struct(">qiibI"), struct.Struct(">hiqqqhii")
_LENGTH_FROM = 12
_MAGIC = 2


def varint(number: int) -> bytes:
    """Return a number as a zigzag varint."""
    raw = (number << 1) ^ (number >> 63)
    octets = bytearray()
    while raw > 0x7F:
        octets.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*octets, raw])


def record(delta: int, key: bytes | None, value: bytes | None, headers: bytes = b"\0") -> bytes:
    """Return one record; `headers`: their number and their bytes."""
    inner = b"\0\0" + varint(delta)
    for part in (key, value):
        inner += varint(-1) if part is None else varint(len(part)) + part
    inner += headers
    return varint(len(inner)) + inner


def batch(
    packed: bytes,
    count: int,
    codec: str = "none",
    *,
    first: int = 0,
    last_delta: int | None = None,
    attributes: int = 0,
    magic: int = _MAGIC,
    producer: tuple[int, int, int] = (-1, -1, -1),
    crc: int | None = None,
) -> bytes:
    """Return a batch; whatever is not given is as it must be."""
    delta = count - 1 if last_delta is None else last_delta
    covered = _COVERED.pack(CODECS.get(codec, 7) | attributes, delta, 1_000, 2_000, *producer, count) + packed
    front_bytes = _FRONT.size - _LENGTH_FROM
    checksum = calc_crc32c(covered) if crc is None else crc
    return _FRONT.pack(first, front_bytes + len(covered), -1, magic, checksum) + covered


def large_records(count: int) -> Iterator[bytes]:
    """Yield records of VALUE_BYTES zeros each."""
    value = bytes(VALUE_BYTES)
    return (record(delta, b"bomb/x", value) for delta in range(count))


def packed_as(codec: str, pieces: Iterator[bytes]) -> bytes:
    """Return what a codec makes of bytes that come in pieces, never more than a few of which are in memory.

    Snappy has no stream of its own: each piece is a block of Java's framing.
    """
    if codec == "gzip":
        return _stream(zlib.compressobj(9, zlib.DEFLATED, 31), pieces)
    if codec == "snappy":
        return _xerial(pieces)
    made: Any = cramjam.zstd.Compressor(3) if codec == "zstd" else _lz4()
    for piece in pieces:
        made.compress(piece)
    return bytes(made.finish())


def _lz4() -> Any:
    return cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)


def _stream(made: Any, pieces: Iterator[bytes]) -> bytes:
    return b"".join([*(made.compress(piece) for piece in pieces), made.flush()])


def _xerial(pieces: Iterator[bytes]) -> bytes:
    first = next(pieces)
    blocks = [snappy_encode(first, xerial_blocksize=len(first))]
    head_bytes = 16
    for piece in pieces:
        blocks.append(snappy_encode(piece, xerial_blocksize=len(piece))[head_bytes:])
    return b"".join(blocks)


@cache
def bomb(codec: str, inflated_bytes: int) -> tuple[bytes, int]:
    """Return a batch of good records that inflates to so many bytes, and how many records it has."""
    count = inflated_bytes // VALUE_BYTES
    return batch(packed_as(codec, large_records(count)), count, codec), count


class RawBatch:
    """A batch of bytes, in the form that aiokafka's accumulator takes instead of its own builder."""

    def __init__(self, data: bytes, count: int) -> None:
        self._data = bytearray(data)
        self._count = count

    def closed(self) -> bool:
        """Return True: no record can be added."""
        return True

    def close(self) -> None:
        """Do nothing: the batch is full."""

    def append(self, **_: Any) -> None:
        """Return None, as a batch that is full does."""

    def record_count(self) -> int:
        """Return the number of records, as aiokafka is to know it."""
        return self._count

    def size(self) -> int:
        """Return the size in bytes."""
        return len(self._data)

    def _set_producer_state(self, *_: int) -> None:
        """Do nothing: the producer of these bytes is in them."""

    def _build(self) -> bytearray:
        return self._data


async def produce(producer: Any, topic: str, partition: int, data: bytes, count: int) -> int:
    """Have a started AIOKafkaProducer send a batch as it is; return its first offset. Raises KafkaError."""
    future = await producer.send_batch(RawBatch(data, count), topic, partition=partition)
    return int((await future).offset)


def lies() -> dict[str, tuple[bytes, int]]:
    """Return batches that are not what they say, and as how many records they are sent."""
    one, two = record(0, b"bomb/x", b"v"), record(0, b"bomb/x", b"v") + record(1, b"bomb/x", b"w")
    return {
        "one offset twice": (batch(one * 2, 2), 2),
        "a header that is no text": (batch(record(0, b"bomb/x", b"v", b"\2\2\xff\2x"), 1), 1),
        "millions of headers": (_of_headers(), 1),
        "one record too many": (batch(two, 3, last_delta=1), 2),
        "one record too few": (batch(two, 1, last_delta=1), 2),
        "two billion records": (batch(two, 2**31 - 1), 2),
        "not what the codec makes": (batch(two, 2, "gzip"), 2),
        "no such codec": (batch(two, 2, "seven"), 2),
        "a wrong checksum": (batch(two, 2, crc=1), 2),
    }


def _of_headers() -> bytes:
    headers = varint(HEADERS) + bytes(2 * HEADERS)
    return batch(packed_as("zstd", iter([record(0, b"bomb/x", b"v", headers)])), 1, "zstd")


async def throw(connection: Mapping[str, Any], partitions: int, seed: int) -> int:
    """Write a bomb of each codec and every lie somewhere on the inputs; return how many the broker took.

    `connection`: aiokafka's. Raises AssertionError where it took none: then nothing was tested.
    """
    chance = Random(seed)
    thrown = [bomb(codec, size) for codec, size in BOMB_BYTES.items()] + [*lies().values()]
    chance.shuffle(thrown)
    sizes = {"max_request_size": REQUEST_BYTES_MAX, "max_batch_size": REQUEST_BYTES_MAX}
    producer = AIOKafkaProducer(**connection, **sizes)
    await producer.start()
    taken = 0
    try:
        for data, count in thrown:
            try:
                await produce(producer, chance.choice(UPSTREAM), chance.randrange(partitions), data, count)
                taken += 1
            except KafkaError:
                continue  # a broker refuses most lies
    finally:
        await producer.stop()
    assert taken >= len(BOMB_BYTES), f"the broker took {taken} of {len(thrown)} hostile batches"
    return taken
