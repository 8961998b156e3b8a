"""What has to be changed in aiokafka for the whole process: one name, for one version.

aiokafka copies each parsed record into a ConsumerRecord, which costs more than fetching and parsing it. Our
consumers ask for the parsed records themselves (`key_deserializer=as_parsed`). All others in the process get
what aiokafka gives, so the change is seen only by those that ask for it.

It has to be made in the module, because the fetcher looks the class up there by name. It can go when aiokafka
lets a consumer choose what its records are made of (such as `AIOKafkaConsumer(record_factory=...)`).
"""

from __future__ import annotations

from typing import Any

import aiokafka
from aiokafka.consumer import fetcher

MADE_FOR = "0.14.0"
"""The version of aiokafka whose private parts `patches`, `membership` and `consumer_thread` know."""


class UnsupportedVersion(RuntimeError):
    """aiokafka has another version than the one that this package was made for."""


def require_version() -> None:
    """Raises UnsupportedVersion where aiokafka has another version than MADE_FOR."""
    if aiokafka.__version__ != MADE_FOR:
        raise UnsupportedVersion(
            f"aiokafka {aiokafka.__version__} is installed, this version of Ledgerflow needs {MADE_FOR}:"
            f" pip install aiokafka=={MADE_FOR}"
        )


def as_parsed(key: bytes) -> bytes:
    """Return the key. A consumer with this as its `key_deserializer` gets parsed records.

    A parsed record has offset, timestamp, timestamp_type, key, value and headers. Without `install` such a
    consumer gets ConsumerRecords, which have the same and more.
    """
    return key


class ParsedRecords(fetcher.PartitionRecords):
    """aiokafka's records of one partition, without the copy."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


_plain_records = fetcher.PartitionRecords
"""aiokafka's own class, from before the change."""


def _partition_records(
    tp: Any, records: Any, aborted: Any, fetch_offset: int, key_deserializer: Any, *more: Any
) -> Any:
    """Return the records of one fetched partition, in the form that their consumer asks for."""
    made = ParsedRecords if key_deserializer is as_parsed else _plain_records
    return made(tp, records, aborted, fetch_offset, key_deserializer, *more)


def install() -> None:
    """Make the change, once for the process; more calls do nothing.

    Raises UnsupportedVersion where aiokafka has another version than MADE_FOR.
    """
    require_version()
    fetcher.PartitionRecords = _partition_records
