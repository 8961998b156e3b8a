"""Batches that say too much: nothing is inflated beyond its bound, and no lie stops or skips a record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.codec import snappy_encode
from aiokafka.consumer import fetcher

from pipeline.runtime.kafka import batches, inflating, patches
from pipeline.runtime.kafka.fetched import DeadBatch
from pipeline.runtime.kafka.quarantine import Quarantine
from tests.chaos.bombs import batch, bomb, packed_as, record, varint

PLACE = TopicPartition("payments", 3)
PACKED = ("gzip", "snappy", "lz4", "zstd")
TRANSACTIONAL, CONTROL = 0x10, 0x20
PRODUCER = (77, 0, 0)

MEASURED = """
import resource, sys
from tests.chaos.bombs import bomb
from tests.security.peak import peak_kb
from tests.security.test_batches import opened_by, reads
codec, reader = sys.argv[1:]
data, count = bomb(codec, 2**29 if codec == "zstd" else 2**28)
vms = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (vms + 3 * 2**27, vms + 3 * 2**27))
before = peak_kb()
found = list(opened_by(reader, data))
grown = (peak_kb() - before) // 1024
print(len(found), found[0].code, found[0].first, found[0].offset == count - 1, grown)
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, _ in patches.CHANGES:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    patches.install()


def opened_by(reader: str, data: bytes) -> Any:
    """Return what a consumer makes of bytes: ours, or aiokafka's own."""
    patches.install()
    return reads(data, None if reader == "aiokafka" else patches.Reading(lambda _: ()))


def reads(data: bytes, reading: Any, start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> Any:
    """Return what aiokafka's fetcher makes of bytes that it has fetched at an offset."""
    return fetcher.PartitionRecords(
        PLACE, fetcher.MemoryRecords(data), list(aborted), start, reading, None, True, fetcher.READ_COMMITTED
    )


def read_all(data: bytes, reading: Any = None, start: int = 0, **more: Any) -> list[Any]:
    """Return everything that a log of these bytes gives, fetched again wherever a fetch ends."""
    reading, found = reading or patches.Reading(lambda _: ()), []
    while True:
        reading.refill()
        rest = data[_at(data, start) :]
        fetch = reads(rest, reading, start, **more)
        found += list(fetch)
        if fetch.next_fetch_offset == start and not rest:
            return found
        start = fetch.next_fetch_offset
        if start > _last(data):
            return found


def _at(data: bytes, offset: int) -> int:
    """Return where the batch with an offset begins, as a broker finds it: by the last offset in its head."""
    at = 0
    while (one := batches.batch_at(memoryview(data), at)) is not None:
        last = one.first if one.head is None else one.head.last
        if last >= offset:
            return at
        at += len(one.data)
    return at


def _last(data: bytes) -> int:
    at, last = 0, -1
    while (one := batches.batch_at(memoryview(data), at)) is not None:
        last = max(last, one.first if one.head is None else one.head.last)
        at += len(one.data)
    return last


def good(first: int, *values: bytes, codec: str = "none", **more: Any) -> bytes:
    """Return an honest batch."""
    body = [record(delta, b"k", value) for delta, value in enumerate(values)]
    packed = b"".join(body) if codec == "none" else packed_as(codec, iter(body))
    return batch(packed, len(values), codec, first=first, **more)


def shown(found: Sequence[Any]) -> list[Any]:
    """Return values, and (code, first, last) of what stands for a batch."""
    return [(one.code, one.first, one.offset) if isinstance(one, DeadBatch) else one.value for one in found]


# --- bombs


@pytest.mark.parametrize("codec", PACKED)
def test_a_bomb_takes_bounded_memory_and_is_one_range(codec: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, codec, "ours"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    count, code, first, whole, grown = run.stdout.split()
    assert (count, code, first, whole) == ("1", "batch_too_large", "0", "True")
    assert int(grown) < 200, "MiB"


def test_aiokafkas_own_reader_dies_of_the_same_bomb() -> None:
    """So the test above sees what it is for."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, "zstd", "aiokafka"], capture_output=True, text=True, timeout=300
    )
    assert run.returncode != 0 and not run.stdout


@pytest.mark.parametrize("codec", PACKED)
def test_what_comes_before_and_behind_a_bomb_is_read(codec: str) -> None:
    packed = packed_as(codec, (record(delta, None, bytes(2**16)) for delta in range(1_100)))
    log = good(0, b"a", b"b") + batch(packed, 1_100, codec, first=2) + good(1_102, b"c")
    assert shown(read_all(log)) == [b"a", b"b", ("batch_too_large", 2, 1_101), b"c"]


def test_a_range_says_what_can_be_known_without_reading_it() -> None:
    data, _ = bomb("zstd", 2**27)
    (dead,) = reads(data, patches.Reading(lambda _: ()))
    assert (dead.codec, dead.packed_bytes, len(dead.digest), dead.producer_id) == (
        "zstd",
        len(data),
        64,
        None,
    )
    assert (dead.key, dead.value, tuple(dead.headers), dead.timestamp) == (None, None, (), 2_000)
    of_producer = batch(b"x", 1, "gzip", producer=PRODUCER)
    assert read_all(of_producer)[0].producer_id == PRODUCER[0]


def test_too_little_memory_makes_no_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> list[bytes]:
        raise MemoryError

    monkeypatch.setattr(batches, "inflate", starved)
    with pytest.raises(MemoryError):
        read_all(good(0, b"a", codec="zstd"))


def test_many_small_bombs_of_one_fetch_are_not_inflated_together() -> None:
    packed = packed_as("zstd", iter([record(0, None, bytes(2**25))]))
    log = b"".join(batch(packed, 1, "zstd", first=number) for number in range(40))
    reading = patches.Reading(lambda _: ())
    fetched = list(reads(log, reading))
    assert 2 <= len(fetched) <= 3, "64 MiB are two of them"
    assert list(reads(log, reading, start=5)) == [], "until the next fetch"
    reading.refill()
    assert next(reads(log[_at(log, 5) :], reading, start=5)).offset == 5


def test_a_bomb_of_an_aborted_transaction_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "inflate", pytest.fail)
    bombed = batch(b"no zstd", 100, "zstd", first=1, attributes=TRANSACTIONAL, producer=PRODUCER)
    marker = batch(
        record(0, b"\0\0\0\0", b"\0" * 6), 1, first=101, attributes=TRANSACTIONAL | CONTROL, producer=PRODUCER
    )
    log = good(0, b"a") + bombed + marker + good(102, b"b")
    assert shown(read_all(log, aborted=[(PRODUCER[0], 1)])) == [b"a", b"b"]


def test_a_record_with_millions_of_headers_is_too_large() -> None:
    headers = varint(2**21) + bytes(2 * 2**21)
    packed = packed_as("zstd", iter([record(0, b"k", b"v", headers)]))
    assert shown(read_all(batch(packed, 1, "zstd"))) == [("batch_too_large", 0, 0)]


def test_more_records_than_the_bound_are_not_even_counted() -> None:
    count = batches.RECORDS_MAX + 1
    log = batch(b"\x0c\0\0\0\1\1\0" * 5, count) + good(count, b"a")
    assert shown(read_all(log)) == [("batch_too_large", 0, count - 1), b"a"]


# --- honest batches


@pytest.mark.parametrize("codec", PACKED)
def test_an_honest_packed_batch_is_read_as_aiokafka_reads_it(codec: str) -> None:
    values = [b"%d" % number * 40 for number in range(3_000)]
    data = good(7, *values, codec=codec)
    ours, theirs = list(opened_by("ours", data)), list(opened_by("aiokafka", data))
    assert [one.value for one in ours] == [one.value for one in theirs] == values
    assert [(one.offset, one.timestamp, one.key) for one in ours] == [
        (one.offset, one.timestamp, one.key) for one in theirs
    ]


def test_snappy_is_read_with_and_without_javas_framing() -> None:
    body = b"".join(record(delta, b"k", b"v" * 20_000) for delta in range(9))
    for packed in (snappy_encode(body), bytes(cramjam.snappy.compress_raw(body))):
        assert shown(read_all(batch(packed, 9, "snappy"))) == [b"v" * 20_000] * 9


def test_as_much_as_the_bound_is_read() -> None:
    size = inflating.INFLATED_BYTES_MAX - 2**10
    packed = packed_as("zstd", iter([record(0, None, bytes(size))]))
    (found,) = read_all(batch(packed, 1, "zstd"))
    assert len(found.value) == size


def test_a_batch_that_was_partly_read_goes_on_where_it_was_left() -> None:
    log = good(0, b"a", b"b", b"c", codec="lz4") + good(3, b"d")
    assert shown(read_all(log, start=1)) == [b"b", b"c", b"d"]


def test_an_empty_batch_that_compaction_left_is_passed_over() -> None:
    assert shown(read_all(batch(b"", 0, last_delta=4) + good(5, b"a"))) == [b"a"]


# --- lies

TWO = record(0, b"k", b"v") + record(1, b"k", b"w")
LIES = {
    "one record too many": batch(TWO, 3, last_delta=1),
    "one record too few": batch(TWO, 1, last_delta=1),
    "a negative number of records": batch(TWO, -1, last_delta=1),
    "two billion records": batch(TWO, 2**31 - 1, last_delta=1),
    "one packed record too many": batch(packed_as("zstd", iter([TWO])), 3, "zstd", last_delta=1),
    "one offset twice": batch(record(0, b"k", b"v") * 2, 2),
    "an offset beyond the last": batch(record(0, b"k", b"v") + record(9, b"k", b"w"), 2),
    "an offset before the first": batch(record(-3, b"k", b"v") + record(1, b"k", b"w"), 2),
    "no such codec": batch(TWO, 2, "five"),
    "not what the codec makes": batch(TWO, 2, "gzip"),
    "a cut stream": batch(packed_as("zstd", iter([TWO * 99]))[:-4], 2, "zstd"),
    "a snappy block longer than the batch": batch(snappy_encode(TWO)[:16] + b"\x7f\0\0\0xx", 2, "snappy"),
    "a key longer than the batch": batch(b"\x28\0\0\0" + varint(2**40) + b"k" * 14, 1, last_delta=1),
    "a key of negative size": batch(b"\x28\0\0\0" + varint(-9) + b"k" * 14, 1, last_delta=1),
    "a length that overflows": batch(b"\x28\0\0\0" + varint(2**63 - 1) + b"k" * 5, 1, last_delta=1),
    "a header that is no text": batch(record(0, b"k", b"v", b"\2\2\xff\2x") + TWO[len(TWO) // 2 :], 2),
    "a packed marker": batch(packed_as("zstd", iter([TWO])), 2, "zstd", attributes=CONTROL),
}


@pytest.mark.parametrize("log", LIES.values(), ids=list(LIES))
def test_a_batch_that_lies_is_one_range_and_the_log_goes_on(log: bytes) -> None:
    found = shown(read_all(log + good(2, b"behind")))
    assert found[1:] == [b"behind"]
    assert found[0] in [("batch_unreadable", 0, 1), ("batch_too_large", 0, 1)]


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_formats_of_other_times_are_ranges_up_to_the_next_batch(magic: int) -> None:
    log = batch(TWO, 2, "gzip", magic=magic) + good(2, b"behind")
    assert shown(read_all(log)) == [("batch_unreadable", 0, 1), b"behind"]


def test_a_batch_that_ends_before_it_starts_is_not_passed_over_unseen() -> None:
    assert shown(read_all(batch(TWO, 2, last_delta=-5) + good(2, b"behind"))) == [
        ("batch_unreadable", 0, 1),
        b"behind",
    ]


def test_a_wrong_checksum_is_fetched_again_before_it_is_believed() -> None:
    reading = patches.Reading(lambda _: ())
    log = batch(TWO, 2, crc=1) + good(2, b"behind")
    for _ in range(patches.CRC_TRIES_MAX - 1):
        fetch = reads(log, reading)
        assert list(fetch) == [] and fetch.next_fetch_offset == 0
    assert shown(reads(log, reading)) == [("batch_unreadable", 0, 1)]
    assert shown(reads(log, reading, start=2)) == [b"behind"]


def test_a_wrong_checksum_skips_no_record_behind_whatever_its_head_says() -> None:
    log = batch(TWO, 2, crc=1, last_delta=500) + good(2, b"behind")
    reading = patches.Reading(lambda _: ())
    found = [one for _ in range(patches.CRC_TRIES_MAX) for one in reads(log, reading)]
    assert shown(found) == [("batch_unreadable", 0, 1)]


def test_in_a_log_of_the_streams_own_it_is_corruption_named_in_one_line() -> None:
    with pytest.raises(patches.CorruptLogError) as caught:
        list(reads(bomb("zstd", 2**27)[0], patches.as_parsed))
    line = str(caught.value)
    assert line.startswith("payments[3]@0 to 2047 cannot be read: batch_too_large") and "\n" not in line


# --- quarantine


def quarantined(*ranges: tuple[int, int]) -> patches.Reading:
    return patches.Reading(lambda place: [Quarantine(*one, "op: why") for one in ranges if place == PLACE])


def test_a_quarantined_batch_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    log = batch(b"kills whoever opens it", 2, "zstd") + good(2, b"behind")
    monkeypatch.setattr(batches, "inflate", pytest.fail)
    found = read_all(log, quarantined((0, 2)))
    assert shown(found) == [("quarantined", 0, 1), b"behind"]
    assert found[0].detail == "op: why"


def test_a_quarantined_record_inside_a_batch_leaves_the_others() -> None:
    log = good(0, b"a", b"b", b"c", b"d", codec="zstd") + good(4, b"e")
    found = read_all(log, quarantined((1, 2), (3, 5)))
    assert shown(found) == [b"a", ("quarantined", 1, 1), b"c", ("quarantined", 3, 3), ("quarantined", 4, 4)]


def test_a_quarantined_record_in_a_batch_that_cannot_be_read_makes_all_of_it_one_range() -> None:
    log = batch(b"no zstd", 4, "zstd") + good(4, b"e")
    assert shown(read_all(log, quarantined((1, 2)))) == [("batch_unreadable", 0, 3), b"e"]


def test_a_quarantine_of_another_partition_does_nothing() -> None:
    reading = patches.Reading(lambda _: ())
    assert shown(read_all(good(0, b"a"), reading)) == [b"a"]
