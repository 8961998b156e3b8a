"""Waits until accounts have a balance, by reading the topic `balances`; hears of what was received."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaException, TopicPartition

from pipeline.loadgen.receipts import Receipts
from pipeline.runtime.kafka.bounded import BoundedConsumer

REQUEST_TIMEOUT_S = 30.0
HEAR_EVERY_S = 0.5
HEARD_AT_ONCE = 5_000


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


class ReceiptWatch:
    """Reads what is written to fraud-commands from now on: stories wait for it. A context manager."""

    def __init__(self, connection: dict[str, str], partitions: int, receipts: Receipts) -> None:
        self._consumer = _from_now_on(connection, "fraud-commands", partitions)
        self._receipts, self._heard_at = receipts, 0.0
        receipts.is_read = True

    def hear(self) -> None:
        """Take what has come, now and then, without waiting for more."""
        now = time.monotonic()
        if now - self._heard_at < HEAR_EVERY_S:
            return
        self._heard_at = now
        with suppress(KafkaException):  # a broker that does not answer: stories wait for it, too
            for message in self._consumer.consume(HEARD_AT_ONCE, 0):
                if message.error() is None:
                    self._receipts.heard(message.key(), message.value())

    def __enter__(self) -> ReceiptWatch:
        return self

    def __exit__(self, *exc: object) -> None:
        self._receipts.is_read = False
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
