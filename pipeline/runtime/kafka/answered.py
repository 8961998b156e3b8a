"""What Kafka answers to a request, within a time.

Each request of the admin client has a bound of its own, and librdkafka ends it then; but one whose connection
breaks at the wrong moment was seen never to end, and a thread that waited for it stood still for good.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

GRACE_S = 5.0
"""How long after its own bound a request may take to say so."""

WITHOUT_LEADER = (KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION)
"""So is a partition that is new, or whose broker was away, for a moment."""
ASK_AGAIN_S = 0.1

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


def offsets_of(consumer: Consumer, place: TopicPartition, within_s: float) -> tuple[int, int]:
    """Return the first offset of a partition, and the one behind its last.

    Waits `within_s` seconds for a partition that has no leader now. Raises KafkaException.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            first, end = consumer.get_watermark_offsets(place, timeout=within_s)
            return int(first), int(end)
        except KafkaException as error:
            if error.args[0].code() not in WITHOUT_LEADER or time.monotonic() > deadline:
                raise
        time.sleep(ASK_AGAIN_S)
