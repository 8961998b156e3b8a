"""Topics that are short, because they are compacted: read whole, to their ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.log_ends import Place
from pipeline.runtime.kafka.messages import Skipped

CHUNK = 10_000
POLL_S = 0.2


class Rows(NamedTuple):
    """What stands in partitions of a topic."""

    latest: Mapping[tuple[int, bytes], bytes | None]
    """The last value by partition and key."""
    skipped: Sequence[Skipped]
    """What could not be read."""


def rows_of(
    connection: Mapping[str, Any],
    group: str,
    starts: Mapping[Place, int],
    within_s: float,
    *,
    committed: bool,
) -> Rows:
    """Read partitions from offsets to where they end. `group` is not joined.

    `committed`: records of committed transactions alone.
    Raises KafkaException, also where the ends are not reached in time.
    """
    consumer = BoundedConsumer(
        {**connection, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        | {"isolation.level": "read_committed" if committed else "read_uncommitted"}
        | {"auto.offset.reset": "error", "enable.partition.eof": True}
    )
    latest: dict[tuple[int, bytes], bytes | None] = {}
    behind = set(starts)
    deadline = time.monotonic() + within_s
    try:
        consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
        while behind:
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"not read: {sorted(behind)}"))
            for message in consumer.consume(CHUNK, POLL_S):
                error = message.error()
                if error is None:
                    latest[message.partition(), message.key() or b""] = message.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    # It comes behind the marks of transactions, too, which are never delivered.
                    behind.discard((message.topic(), message.partition()))
                else:
                    raise KafkaException(error)
        return Rows(latest, list(consumer.skipped))
    finally:
        consumer.close()
