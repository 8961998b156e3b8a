"""Record batches built from columns are those that aiokafka builds a record at a time, byte for byte."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.kafka.record_batch import RECORD_BYTES_MAX, ColumnBatch, column_batches
from pipeline.runtime.kafka.records import Columns

TIME_MS = 1_700_000_000_123
PRODUCER = (77, 3, 9)
"""Producer id, epoch, first sequence."""

Pairs = list[tuple[bytes | None, bytes | None]]
keys = st.one_of(st.none(), st.binary(max_size=40), st.integers(50, 70).map(bytes))
"""Some about as long as takes a second byte in the varint of the length."""
values = st.one_of(keys, st.integers(8180, 8200).map(bytes))
"""Some that take a third one."""
pairs = st.lists(st.tuples(keys, values).filter(lambda pair: pair != (None, None)), min_size=1, max_size=30)


def columns(records: Pairs) -> Columns:
    """Return records as columns, as slices of longer arrays: offsets into buffers are not zero."""
    names, cells = zip((b"before", b"before"), *records, (None, b"after"), strict=True)
    count = len(records)
    return Columns(*(pa.array(column, pa.binary()).slice(1, count) for column in (names, cells)))


def built(batch: Any) -> bytes:
    """Return the bytes that go to the broker."""
    batch._set_producer_state(*PRODUCER)
    return bytes(batch._build())


def plain(records: Pairs) -> bytes:
    """Return the batch of aiokafka's own builder."""
    builder = BatchBuilder(2**30, 0, is_transactional=1)
    for key, value in records:
        assert builder.append(key=key, value=value, timestamp=TIME_MS, headers=[]) is not None
    return built(builder)


def batches(records: Pairs, bytes_max: int) -> list[ColumnBatch]:
    """Return the batches of the way under test."""
    found = column_batches(columns(records), TIME_MS, bytes_max)
    assert found is not None
    return list(found)


@given(pairs)
def test_a_batch_of_columns_has_the_bytes_of_a_batch_of_records(records: Pairs) -> None:
    (batch,) = batches(records, 2**30)
    assert batch.record_count() == len(records)
    assert built(batch) == plain(records)
    assert batch.size() == len(plain(records))


@settings(max_examples=50)
@given(pairs, st.integers(100, 20_000))
def test_batches_that_are_cut_hold_every_record_in_order_within_their_limit(
    records: Pairs, bytes_max: int
) -> None:
    found, read = batches(records, bytes_max), []
    for batch in found:
        one = MemoryRecords(built(batch)).next_batch()
        assert one.validate_crc()
        read.append([(record.key, record.value) for record in one])
        assert batch.size() <= bytes_max or batch.record_count() == 1
    assert [pair for part in read for pair in part] == records


def test_thousands_of_records_make_batches_of_bounded_length() -> None:
    records: Pairs = [(b"key-%d" % number, bytes(number % 300)) for number in range(20_000)]
    found = batches(records, 2**30)
    assert [batch.record_count() for batch in found] == [8192, 8192, 3616]
    assert built(found[0]) == plain(records[:8192])


@pytest.mark.parametrize("key", [None, b"k"])
def test_a_record_that_is_too_long_for_the_table_is_left_to_the_plain_way(key: bytes | None) -> None:
    longest = RECORD_BYTES_MAX - len(key or b"")
    (batch,) = batches([(key, bytes(longest))], 2**30)
    assert built(batch) == plain([(key, bytes(longest))])
    assert column_batches(columns([(key, bytes(longest + 1))]), TIME_MS, 2**30) is None


def test_no_records_make_no_batch() -> None:
    assert batches([], 2**20) == []
