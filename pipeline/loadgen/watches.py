"""What the streams have done so far, seen by the topics they write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

REQUEST_TIMEOUT_S = 30.0
READ = (
    *("accounts", "payments", "journals", "trades", "prices", "statements"),
    *("ledger-commands", "position-commands", "reconciliation-items", "postings", "payment-events"),
)
"""The topics that the streams read."""
BEHIND_MIN = 50
"""A smaller distance may be the markers of transactions, which are no records: it is worth a look."""
LOOK_TIMEOUT_S = 10.0


def end_of(consumer: Consumer, place: TopicPartition) -> int:
    """Return the end of a partition; patient, as a new topic has no leader yet. Raises KafkaException."""
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S)[1])
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class BalanceWatch:
    """Sees which accounts get a balance from now on."""

    def __init__(self, connection: dict[str, str], partitions: int) -> None:
        self._consumer = Consumer(
            {**connection, "group.id": "ledgerflow-load", "enable.auto.commit": False}
            | {"isolation.level": "read_committed"}
        )
        places = [TopicPartition("balances", number) for number in range(partitions)]
        for place in places:
            place.offset = end_of(self._consumer, place)
        self._consumer.assign(places)

    def wait_for(
        self, keys: set[bytes], patience_s: float, stop: threading.Event, on_wait: Callable[[], None]
    ) -> bool:
        """Wait until all keys have been seen; False if nothing new was seen for so long."""
        seen_at = time.monotonic()
        while keys and not stop.is_set() and time.monotonic() - seen_at < patience_s:
            message = self._consumer.poll(0.1)
            on_wait()
            if message is not None and message.error() is None and message.key() in keys:
                keys.discard(message.key())
                seen_at = time.monotonic()
        return not keys

    def __enter__(self) -> BalanceWatch:
        return self

    def __exit__(self, *exc: object) -> None:
        self._consumer.close()


class StreamsWatch:
    """Sees whether the streams have work left: by how far their group has read what they read."""

    def __init__(self, connection: dict[str, str], group: str, partitions: int) -> None:
        # Only asks for the group's offsets, and looks what stands there; it never joins.
        self._consumer = Consumer(
            {**connection, "group.id": group, "enable.auto.commit": False}
            | {"isolation.level": "read_committed", "enable.partition.eof": True}
        )
        self._places = [TopicPartition(topic, number) for topic in READ for number in range(partitions)]

    def wait_until_idle(self, quiet_s: float, timeout_s: float, on_wait: Callable[[], None]) -> None:
        """Return when nothing has grown for `quiet_s` and the group is not behind, or after `timeout_s`.

        Where the group has never committed anything, no worker has run, and only growth counts.
        """
        started = grown_at = time.monotonic()
        ends: list[int] = []
        while (now := time.monotonic()) - started < timeout_s:
            later = [end_of(self._consumer, place) for place in self._places]
            if later != ends:
                ends, grown_at = later, now
            elif now - grown_at >= quiet_s and not self._is_behind(ends):
                return
            time.sleep(0.2)
            on_wait()

    def _is_behind(self, ends: list[int]) -> bool:
        places = self._consumer.committed(self._places, timeout=REQUEST_TIMEOUT_S)
        committed = [place.offset for place in places]
        if max(committed, default=0) <= 0:
            return False
        left = [(place, end) for place, end in zip(places, ends, strict=True) if end > max(place.offset, 0)]
        if any(end - max(place.offset, 0) > BEHIND_MIN for place, end in left):
            return True
        return not self._only_markers([place for place, _ in left])

    def _only_markers(self, places: list[TopicPartition]) -> bool:
        """Look at what is left to read; False if a record is among it, or where it takes too long to see."""
        self._consumer.assign(
            [TopicPartition(place.topic, place.partition, max(place.offset, 0)) for place in places]
        )
        ended, deadline = 0, time.monotonic() + LOOK_TIMEOUT_S
        try:
            while ended < len(places):
                message = self._consumer.poll(0.2)
                if message is not None and message.error() is None:
                    return False
                if message is not None and message.error().code() == KafkaError._PARTITION_EOF:
                    ended += 1
                if time.monotonic() > deadline:
                    return False
            return True
        finally:
            self._consumer.unassign()

    def __enter__(self) -> StreamsWatch:
        return self

    def __exit__(self, *exc: object) -> None:
        self._consumer.close()
