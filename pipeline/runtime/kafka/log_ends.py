"""Where logs end, asked of a cluster that may be silent for a while.

Through consumers, not through the admin client: its `list_offsets` (confluent-kafka 2.16.0) answers with
-1001 and no error while a broker is silent, and after a new election it says FENCED_LEADER_EPOCH for five
minutes. A consumer's question for the offset at time -1, which is the end, fails where it has no answer, and
asks for the new leader by itself. `tests/project/test_admin_calls.py` forbids what cannot be trusted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

Place = tuple[str, int]
END, BEGINNING = -1, -2
"""As times: where the log ends, and where it begins."""
AGAIN_AFTER_S = 0.2
MOVED = frozenset(
    (
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._TRANSPORT,
    )
)
"""Answers worth another question: the client looks for the leader again; a new topic has none at first."""
WITHOUT_LEADER = (KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION)
"""So is a partition that is new, or whose broker was away, for a moment."""


def asking(connection: Mapping[str, Any], group: str, *, committed: bool) -> Consumer:
    """Return a consumer that joins no group, for `ends`.

    `committed`: logs end for it at the last stable offset.

    It gives up a connection that gives no answer soon, and makes it again soon.
    """
    return Consumer(
        {
            **connection,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "socket.timeout.ms": 5_000,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )


def ends(consumer: Consumer, places: Iterable[Place], within_s: float) -> dict[Place, int]:
    """Return where logs end for a consumer (`asking`).

    Raises KafkaException where there is no answer within `within_s`.
    """
    return _offsets(consumer, places, END, within_s)


def begins(consumer: Consumer, places: Iterable[Place], within_s: float) -> dict[Place, int]:
    """Return where logs begin: the first offset that is still there. Raises as `ends`."""
    return _offsets(consumer, places, BEGINNING, within_s)


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
        time.sleep(AGAIN_AFTER_S)


def _offsets(consumer: Consumer, places: Iterable[Place], time_ms: int, within_s: float) -> dict[Place, int]:
    asked = [TopicPartition(*place, time_ms) for place in places]
    deadline = time.monotonic() + within_s
    while True:
        left = deadline - time.monotonic()
        try:
            return _taken(consumer.offsets_for_times(asked, timeout=max(left, 0.1)) if asked else [])
        except KafkaException as error:
            if error.args[0].code() not in MOVED or time.monotonic() + AGAIN_AFTER_S > deadline:
                raise
            time.sleep(AGAIN_AFTER_S)


def _taken(answers: Iterable[TopicPartition]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
        if answer.offset < 0:  # nothing was answered, whatever the client says
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no end was answered"))
        found[answer.topic, answer.partition] = answer.offset
    return found
