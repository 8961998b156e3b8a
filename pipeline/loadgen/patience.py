"""Waiting for a broker that gives no answer for a while: a load goes on when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaException

SILENCE_MAX_S = 120.0
"""How long a broker that gives no answer is waited for."""
AGAIN_AFTER_S = 0.5

STALLED_S = 2.0
"""Without an acknowledgement for so long, while some are due, Kafka stands still."""
POLL_S = 0.1

Answer = TypeVar("Answer")


def patiently(ask: Callable[[], Answer], stop: threading.Event) -> Answer:
    """Return what Kafka answers; ask again while it is silent, up to SILENCE_MAX_S and until `stop`.

    Raises KafkaException.
    """
    deadline = time.monotonic() + SILENCE_MAX_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline or stop.wait(AGAIN_AFTER_S):
                raise


class Acknowledgements:
    """Holds a load while Kafka acknowledges nothing.

    What is produced meanwhile would come in one burst, payments beside the openings of their accounts.
    """

    def __init__(self, producer: Any, stop: threading.Event) -> None:
        """`producer`: a confluent_kafka Producer; its callbacks call `heard`."""
        self._producer = producer
        self._stop = stop
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Take note of an acknowledgement."""
        self._heard_at = time.monotonic()

    def wait(self) -> float:
        """Wait while Kafka acknowledges nothing; return for how long, seconds."""
        began = time.monotonic()
        if not len(self._producer):
            self._heard_at = began
        if began - self._heard_at <= STALLED_S:
            return 0.0
        heard_at = self._heard_at
        while self._heard_at == heard_at and len(self._producer) and not self._stop.is_set():
            self._producer.poll(POLL_S)
        return time.monotonic() - began
