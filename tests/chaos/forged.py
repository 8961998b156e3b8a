"""Forged records: what a principal with rights could write in the place of a worker. For 127.0.0.1 only."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from pipeline.runtime.kafka.topics import changelog_name, source_offsets_name
from pipeline.runtime.settings import Settings
from pipeline.runtime.store.database import SOURCE_OFFSET_KEY

WITHIN_S = 30.0
SKIPPED = 10
"""How many records a forged offset skips."""


class Forger:
    """Writes to a cluster's topics without a transaction."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer({**settings.librdkafka(), "enable.idempotence": True})

    def put(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        """Write one record."""
        self._producer.produce(topic, value, key, partition)
        assert not self._producer.flush(WITHIN_S), f"{topic} takes nothing"

    def beside(self, stream: str, partition: int, value: int) -> None:
        """Write a source offset into `source-offsets`."""
        self.put(source_offsets_name(self._settings.app_id), partition, stream.encode(), b"%d" % value)

    def own(self, stream: str, partition: int, value: int) -> None:
        """Write a source offset into a stream's changelog."""
        topic = changelog_name(self._settings.app_id, stream)
        self.put(topic, partition, SOURCE_OFFSET_KEY, b"%d" % value)

    def applied(self, stream: str, partition: int) -> int:
        """Return up to where a stream has applied its log, as `source-offsets` says it; 0: not at all."""
        topic = source_offsets_name(self._settings.app_id)
        rows = self.rows(topic, partition)
        return int(rows.get(stream.encode()) or b"0")

    def rows(self, topic: str, partition: int) -> dict[bytes, bytes | None]:
        """Return the last committed value of every key of a partition."""
        consumer = Consumer(
            {
                **self._settings.librdkafka(),
                "group.id": "forger",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        found: dict[bytes, bytes | None] = {}
        deadline = time.monotonic() + WITHIN_S
        try:
            consumer.assign([TopicPartition(topic, partition, 0)])
            while time.monotonic() < deadline:
                for message in consumer.consume(1_000, 0.5):
                    error = message.error()
                    if error is None:
                        found[message.key() or b""] = message.value()
                    elif error.code() == KafkaError._PARTITION_EOF:
                        return found
        finally:
            consumer.close()
        raise AssertionError(f"{topic}[{partition}] cannot be read")
