"""Waits until accounts have a balance, by reading the topic `balances`; hears of what became of payments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException, TopicPartition

from pipeline.runtime.kafka.bounded import BoundedConsumer

REQUEST_TIMEOUT_S = 30.0
HEAR_EVERY_S = 0.5
HEARD_AT_ONCE = 5_000


class Hearer(Protocol):
    """Whoever waits for records of a topic."""

    is_read: bool
    """Whether somebody reads the topic for it."""

    def heard(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record."""
        ...


class BalanceWatch:
    """Reads the balances that are written from now on. A context manager."""

    def __init__(self, connection: dict[str, str], partitions: int) -> None:
        self._consumer = _from_now_on(connection, "balances", partitions)

    def wait_for(
        self, keys: set[bytes], patience_s: float, stop: threading.Event, on_wait: Callable[[], None]
    ) -> bool:
        """Wait for a balance of every key; return False after a stop or `patience_s` without a new one."""
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


class PaymentWatch:
    """Reads what is written to a topic from now on, for those who wait for it. A context manager."""

    def __init__(self, connection: dict[str, str], topic: str, partitions: int, awaited: Hearer) -> None:
        self._consumer = _from_now_on(connection, topic, partitions)
        self._awaited, self._looked_at = awaited, 0.0
        self.heard_at = time.monotonic()
        """When a record was last read."""
        awaited.is_read = True

    def hear(self) -> None:
        """Take what has come, now and then, without waiting for more."""
        now = time.monotonic()
        if now - self._looked_at < HEAR_EVERY_S:
            return
        self._looked_at = now
        with suppress(KafkaException):  # a broker that does not answer is waited for, too
            for message in self._consumer.consume(HEARD_AT_ONCE, 0):
                if message.error() is None:
                    self.heard_at = now
                    self._awaited.heard(message.key(), message.value())

    def __enter__(self) -> PaymentWatch:
        return self

    def __exit__(self, *exc: object) -> None:
        self._awaited.is_read = False
        self._consumer.close()


def _from_now_on(connection: dict[str, str], topic: str, partitions: int) -> BoundedConsumer:
    consumer = BoundedConsumer(
        {**connection, "group.id": "ledgerflow-load", "enable.auto.commit": False}
        | {"isolation.level": "read_committed", "log_level": 0}
    )
    places = [TopicPartition(topic, number) for number in range(partitions)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, REQUEST_TIMEOUT_S)[1]
    consumer.assign(places)
    return consumer
