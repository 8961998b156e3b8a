"""Fetched records as aiokafka's parser makes them, for every consumer of this process.

aiokafka copies each parsed record into a ConsumerRecord, which costs more than fetching and parsing it. A
parsed record has offset, timestamp (and its type), key, value and headers; who fetches knows the rest.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.structs import ConsumerRecord, TopicPartition


class PartitionRecords(fetcher.PartitionRecords):
    """aiokafka's records of one partition, without the copy."""

    def _consumer_record(self, tp: TopicPartition, record: Any) -> Any:
        return record


def install() -> None:
    """Have aiokafka's consumers give parsed records; they have no deserializers here."""
    fetcher.PartitionRecords = PartitionRecords


def consumer_record(tp: Any, record: Any) -> ConsumerRecord[bytes, bytes]:
    """Return a parsed record with everything that aiokafka says of it."""
    key, value = record.key, record.value
    sizes = (-1 if part is None else len(part) for part in (key, value))
    about = tp.topic, tp.partition, record.offset, record.timestamp, record.timestamp_type
    return ConsumerRecord(*about, key, value, None, *sizes, tuple(record.headers))
