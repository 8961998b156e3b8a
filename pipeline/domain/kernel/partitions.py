"""The partition of an account: Kafka's murmur2 partitioner, as in the Java client.

The ledger must know whether a payment's creditor lives on its own branch, so the function is part of the
domain. Source of the method: `Utils.murmur2` and `BuiltInPartitioner` of Apache Kafka (MurmurHash2, 32 bit,
seed 0x9747b28c), checked in tests against aiokafka's implementation.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
import pyarrow as pa

_WORD = struct.Struct("<I")
_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit MurmurHash2 of `data` with Kafka's seed."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for (k,) in _WORD.iter_unpack(data[:whole]):
        k = (k * _M) & _MASK
        k ^= k >> 24
        h = ((h * _M) & _MASK) ^ ((k * _M) & _MASK)
    tail = data[whole:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=100_000)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a record key (`tenant_id/account_id`); recent keys are cached."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def partitions_of(keys: pa.Array, partitions: int) -> np.ndarray:
    """Return `partition_of` of each key (string or binary, no nulls); int64.

    Keys of equal length are hashed together, four bytes of each at a time.
    """
    found = np.empty(len(keys), np.int64)
    offsets = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset : keys.offset + len(keys) + 1]
    text = np.frombuffer(keys.buffers()[2] or b"", np.uint8)
    lengths = np.diff(offsets)
    for length in np.unique(lengths).tolist():
        these = np.flatnonzero(lengths == length)
        octets = text[offsets[these][:, None] + np.arange(length)]
        found[these] = (_murmur2_of(octets) & 0x7FFFFFFF) % partitions
    return found


def _murmur2_of(octets: np.ndarray) -> np.ndarray:
    """Return `murmur2` of each row of bytes (uint8, keys x length); 32-bit arithmetic wraps around."""
    count, length = octets.shape
    whole = length & ~3
    h = np.full(count, 0x9747B28C ^ length, np.uint32)
    m = np.uint32(_M)
    for k in np.ascontiguousarray(octets[:, :whole]).view("<u4").T:
        k = k * m
        k ^= k >> np.uint32(24)
        h = (h * m) ^ (k * m)
    if whole < length:
        tail = np.zeros((count, 4), np.uint8)
        tail[:, : length - whole] = octets[:, whole:]
        h = (h ^ tail.view("<u4")[:, 0]) * m
    h ^= h >> np.uint32(13)
    h *= m
    return h ^ (h >> np.uint32(15))
