"""Alerts of a process, written to an output topic each once, however often the fault is found.

The id of an alert is derived from what it says, and ids that the topic has already are not written again, so
a restarted worker repeats no alert. A process writes a bounded number.
"""

from __future__ import annotations

from typing import Any, Protocol

from confluent_kafka import KafkaException, Producer

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import Log
from pipeline.runtime.settings import Settings

FLUSH_WITHIN_S = 10.0
DELIVERED_WITHIN_S = 7.0
"""Less than FLUSH_WITHIN_S: what was not acknowledged is not sent any more, when it is written again."""
KNOWN_MAX = 10_000
"""So many of the newest records of each partition are looked at for alerts that were written before."""


class Target(Protocol):
    """Where alerts are written."""

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record; return once Kafka has acknowledged it. Raises KafkaException."""


class KafkaTarget:
    """A topic of a cluster."""

    def __init__(self, settings: Settings, topic: str) -> None:
        own = {"enable.idempotence": True, "delivery.timeout.ms": int(DELIVERED_WITHIN_S * 1_000)}
        self._producer = Producer({**settings.librdkafka(), **own, "log_level": 0})
        self._topic = topic

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record. Raises KafkaException where Kafka did not acknowledge it."""
        failures: list[object] = []
        self._producer.produce(
            self._topic,
            value,
            key,
            partition,
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
        if self._producer.flush(FLUSH_WITHIN_S) or failures:
            raise KafkaException(failures or "an alert could not be written")


class Alerts:
    """Writes alerts to a topic, each once. For one thread."""

    def __init__(self, topic: str, log: Log, codec: Codec, target: Target, most: int) -> None:
        """`most`: how many this process writes."""
        self._topic = topic
        self._log = log
        self._codec = codec
        self._target = target
        self._most = most
        self._known: set[str] | None = None
        """Ids of the alerts in the topic, read before the first alert is written, and after a failure."""
        self.written = 0

    def write(self, alert: Any, partition: int, key: str) -> bool:
        """Write an alert, unless the topic has it or this process has written its most; say whether it did.

        `alert`: an event whose `event_id` is derived from what it says. Raises LogReadError, KafkaException.
        """
        if self._known is None:
            self._known = self._read()
        if alert.event_id in self._known or self.written >= self._most:
            return False
        value = self._codec.encode([alert])[0]
        try:
            self._target.write(partition, key.encode(), value)
        except KafkaException:
            self._known = None  # it may be there without its acknowledgement: whoever tries again looks
            raise
        self._known.add(alert.event_id)
        self.written += 1
        return True

    def _read(self) -> set[str]:
        ids, begins = set(), self._log.begins(self._topic)
        for partition, end in self._log.ends(self._topic, committed=True).items():
            start = max(begins[partition], end - KNOWN_MAX)
            values = [record.value for record in self._log.read(self._topic, partition, start, end)]
            ids |= {event.event_id for event in self._codec.decode(values).events if event is not None}
        return ids
