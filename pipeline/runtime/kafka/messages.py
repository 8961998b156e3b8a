"""Records and ends of partitions, by the methods of confluent-kafka's messages."""

from __future__ import annotations

from typing import Any, NamedTuple

from aiokafka import TopicPartition as Place
from confluent_kafka import KafkaError

from pipeline.runtime.kafka.fetched import DeadBatch


class Message(NamedTuple):
    """A record, by the methods of confluent-kafka's messages."""

    place: Place
    record: Any

    def error(self) -> None:
        """Return None: it is a record."""
        return

    def topic(self) -> str:
        """Return the topic."""
        return str(self.place.topic)

    def partition(self) -> int:
        """Return the partition."""
        return int(self.place.partition)

    def offset(self) -> int:
        """Return the offset."""
        return int(self.record.offset)

    def key(self) -> bytes | None:
        """Return the key."""
        key: bytes | None = self.record.key
        return key

    def value(self) -> bytes | None:
        """Return the value."""
        value: bytes | None = self.record.value
        return value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Return the headers, None where there are none."""
        return list(self.record.headers) or None

    def timestamp(self) -> tuple[int, int]:
        """Return Kafka's kind of time (1: its producer's, 2: the broker's), and milliseconds UTC."""
        return 1 + (self.record.timestamp_type or 0), self.record.timestamp


class End(NamedTuple):
    """The end of a partition as confluent-kafka says it, or an offset that a log does not have any more."""

    place: Place
    position: int
    code: int = KafkaError._PARTITION_EOF

    def error(self) -> KafkaError:
        """Return what it is."""
        return KafkaError(self.code)

    def topic(self) -> str:
        """Return the topic."""
        return str(self.place.topic)

    def partition(self) -> int:
        """Return the partition."""
        return int(self.place.partition)

    def offset(self) -> int:
        """Return the offset of the next record."""
        return self.position


class Skipped(NamedTuple):
    """A batch that was passed over."""

    topic: str
    partition: int
    batch: DeadBatch
