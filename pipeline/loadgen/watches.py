"""Waits until accounts have a balance, by reading the topic `balances`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import TopicPartition

from pipeline.runtime.kafka.bounded import BoundedConsumer

REQUEST_TIMEOUT_S = 30.0


class BalanceWatch:
    """Reads the balances that are written from now on. A context manager."""

    def __init__(self, connection: dict[str, str], partitions: int) -> None:
        self._consumer = BoundedConsumer(
            {**connection, "group.id": "ledgerflow-load", "enable.auto.commit": False}
            | {"isolation.level": "read_committed", "log_level": 0}
        )
        places = [TopicPartition("balances", number) for number in range(partitions)]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, REQUEST_TIMEOUT_S)[1]
        self._consumer.assign(places)

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
