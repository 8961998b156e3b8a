"""How far the streams are behind, while a run goes on."""

from __future__ import annotations

import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.runtime.settings import Settings
from pipeline.verify.streams import SOURCES

EVERY_S = 2.0
TIMEOUT_S = 5.0


class LagWatch(threading.Thread):
    """Looks every EVERY_S seconds; while the broker is away it sees nothing."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="lag", daemon=True)
        self.largest = 0
        """Records, over all logs; a marker of a transaction counts as one."""
        self._client = {**settings.librdkafka(), "log_level": "0"}
        self._group = settings.app_id
        self._places = [
            TopicPartition(topic, number) for topic in SOURCES for number in range(settings.partitions)
        ]
        self._known: dict[tuple[str, int], int] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until it is stopped."""
        # Uncommitted: else the answer waits for transactions under way.
        reading = {
            "group.id": self._group,
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
        }
        consumer = Consumer({**self._client, **reading})
        while not self._ended.wait(EVERY_S):
            try:
                self.largest = max(self.largest, self._look(consumer))
            except KafkaException:
                continue
        consumer.close()

    def _look(self, consumer: Consumer) -> int:
        lag = 0
        for place in consumer.committed(self._places, timeout=TIMEOUT_S):
            name = place.topic, place.partition
            # A broker that was killed may know older offsets than the streams, which go on from their own.
            self._known[name] = known = max(self._known.get(name, 0), place.offset)
            lag += consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)[1] - known
        return lag

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()
        self.join()
