"""Inflating record batches, bounded: a batch of 122 KB may say that it is 4 GB.

    packed records -> pieces, until the end or until more than INFLATED_BYTES_MAX -> records as bytes

aiokafka inflates a batch at once, whatever it comes to, and dies of it. Here nothing is inflated further than
the bound: gzip, lz4 and zstd by pieces; snappy says its size in front, and never gives more than it says.
"""

from __future__ import annotations

import struct

import cramjam
import pyarrow as pa

INFLATED_BYTES_MAX = 2**26
"""Most bytes that the records of a batch may take, 64 MiB: eight times what a topic takes, packed. A producer
ends a batch when it estimates its packed size at `batch.size` (16 KiB, seldom more than 1 MiB), so an honest
one whose events pack 60:1 still fits. What lies beyond is not worth the memory of a worker."""
FETCH_BYTES_MAX = 2**26
"""A fetch inflates no further batch when it has inflated so many bytes, of all its partitions: thousands of
small bombs fit into one fetch."""
FIRST_PIECE_BYTES = 2**18
"""What most batches inflate to at most; larger ones come by pieces that double."""

CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""By the number in a batch's attributes."""
_STREAMED = {1: "gzip", 3: "lz4", 4: "zstd"}
_SNAPPY = 2
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEAD_BYTES = 16
"""Java's snappy comes in blocks with a length in front of each, behind this and two version numbers."""
_BLOCK_LENGTH = struct.Struct(">i")


class TooLargeError(ValueError):
    """The bytes inflate to more than the bound."""


class UnreadableError(ValueError):
    """The bytes are not what their codec makes."""


def inflate(codec: int, packed: memoryview, bytes_max: int = INFLATED_BYTES_MAX) -> list[bytes]:
    """Return what the bytes inflate to, in pieces.

    `codec`: its number in a batch's attributes, not 0. Takes `bytes_max` bytes at most, once more while a
    piece is copied, and what the codec keeps (zstd: up to 128 MiB of a window).
    Raises TooLargeError, UnreadableError, MemoryError.
    """
    if codec in _STREAMED:
        return _by_pieces(_STREAMED[codec], packed, bytes_max)
    if codec == _SNAPPY:
        return _snappy(packed, bytes_max)
    raise UnreadableError(f"there is no codec {codec}")


def _by_pieces(codec: str, packed: memoryview, bytes_max: int) -> list[bytes]:
    pieces: list[bytes] = []
    left, size = bytes_max + 1, FIRST_PIECE_BYTES
    try:
        with pa.CompressedInputStream(pa.BufferReader(packed), codec) as stream:
            while left and (piece := stream.read(min(size, left))):
                pieces.append(piece)
                left -= len(piece)
                size *= 2
    except MemoryError:
        raise  # it says nothing of the batch
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"no {codec}: {_line(error)}") from error
    if not left:
        raise TooLargeError(f"inflates to more than {bytes_max} bytes")
    return pieces


def _snappy(packed: memoryview, bytes_max: int) -> list[bytes]:
    if packed[: len(_XERIAL)] != _XERIAL:
        return [_snappy_block(packed, bytes_max)]
    pieces = []
    at, left = _XERIAL_HEAD_BYTES, bytes_max
    while at < len(packed):
        start = at + _BLOCK_LENGTH.size
        if start > len(packed):
            raise UnreadableError("no snappy: a block has no length")
        (length,) = _BLOCK_LENGTH.unpack_from(packed, at)
        if not 0 < length <= len(packed) - start:
            raise UnreadableError(f"no snappy: a block of {length} bytes")
        at = start + length
        pieces.append(_snappy_block(packed[start:at], left))
        left -= len(pieces[-1])
    return pieces


def _snappy_block(packed: memoryview, bytes_max: int) -> bytes:
    try:
        size = cramjam.snappy.decompress_raw_len(bytes(packed[:8]))
        if size > bytes_max:
            raise TooLargeError(f"inflates to more than {INFLATED_BYTES_MAX} bytes")
        return bytes(cramjam.snappy.decompress_raw(packed))
    except cramjam.DecompressionError as error:
        raise UnreadableError(f"no snappy: {_line(error)}") from error


def _line(error: BaseException) -> str:
    """Return what a library says, on one line of bounded length."""
    return " ".join(str(error).split())[:200]
