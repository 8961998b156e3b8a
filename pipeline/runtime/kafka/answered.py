"""What Kafka answers to a request of the admin client, within a time.

Each request has a bound of its own, and librdkafka ends it then; but one whose connection
breaks at the wrong moment was seen never to end, and a thread that waited for it stood still for good.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

GRACE_S = 5.0
"""How long after its own bound a request may take to say so."""

Answer = TypeVar("Answer")


def answered(request: Future[Answer], within_s: float) -> Answer:
    """Return the answer to a request whose own bound is `within_s`, seconds.

    Raises KafkaException for Kafka's refusal, and where no answer comes in time.
    """
    try:
        return request.result(within_s + GRACE_S)
    except TimeoutError:
        error = KafkaError(KafkaError._TIMED_OUT, f"no answer within {within_s + GRACE_S:.0f} s")
        raise KafkaException(error) from None
