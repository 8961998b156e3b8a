"""Which partition an account lives on: Kafka's murmur2 partitioner, as in the Java client.

The ledger must know whether a payment's creditor lives on its own branch, so the function is part of the
domain. Source of the method: `Utils.murmur2` and `BuiltInPartitioner` of Apache Kafka (MurmurHash2, 32 bit,
seed 0x9747b28c), checked in tests against aiokafka's implementation.
"""

from __future__ import annotations

import struct
from functools import lru_cache

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


@lru_cache(maxsize=1_000_000)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a record key (`tenant_id/account_id`); the last million keys are remembered."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
