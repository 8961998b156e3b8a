"""Partitions: the same answer as Kafka's own partitioners, for every key."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2

from pipeline.domain.kernel.partitions import murmur2, partition_of, partitions_of

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""What the Java client's own test expects of `Utils.murmur2` (signed)."""


@pytest.mark.parametrize("data", JAVA)
def test_murmur2_is_the_java_clients(data: bytes) -> None:
    assert murmur2(data) == JAVA[data] % 2**32


def test_murmur2_is_aiokafkas_for_every_length() -> None:
    chance = random.Random(7)
    for length in [*range(64), 255, 1000]:
        for _ in range(20):
            data = chance.randbytes(length)
            assert murmur2(data) == aiokafka_murmur2(data) % 2**32


def test_a_key_has_the_partition_that_a_producer_gives_it() -> None:
    chance = random.Random(7)
    producer = DefaultPartitioner()
    for partitions in (1, 2, 3, 4, 7, 64):
        for _ in range(200):
            key = f"tenant-{chance.randrange(9)}/é{chance.randrange(10**9)}"
            expected = producer(key.encode(), list(range(partitions)), list(range(partitions)))
            assert partition_of(key, partitions) == expected


def test_many_keys_have_the_partitions_that_each_has() -> None:
    chance = random.Random(8)
    keys = ["".join(chance.choices("abcdé€/0123", k=chance.randrange(40))) for _ in range(2000)]
    whole = pa.array(keys)
    for partitions in (1, 3, 4, 64):
        expected = [partition_of(key, partitions) for key in keys]
        assert partitions_of(whole, partitions).tolist() == expected
        assert partitions_of(whole.slice(7, 100), partitions).tolist() == expected[7:107]
    assert partitions_of(pa.array([], pa.string()), 4).tolist() == []


def test_keys_spread_over_all_partitions() -> None:
    counts = [0] * 4
    for number in range(4000):
        counts[partition_of(f"acme/account-{number}", 4)] += 1
    assert min(counts) > 800
