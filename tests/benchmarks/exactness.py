"""Whether what came out is what had to come out: read committed from the topics, added up plainly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings

Offsets = dict[str, list[int]]
"""The next offset of every partition of some topics."""
READ_RECORDS = 10_000
TIMEOUT_S = 30.0
RETRY_S = 0.1

Answer = TypeVar("Answer")


class Inexact(AssertionError):
    """A job came to a wrong result: its speed does not matter."""


def ends(settings: Settings, topics: tuple[str, ...]) -> Offsets:
    """Return where the topics end now."""
    consumer = Consumer({**settings.librdkafka(), "group.id": "benchmark-ends"})

    def end(topic: str, number: int) -> int:
        offset: int = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=TIMEOUT_S)[1]
        return offset

    try:
        return {
            topic: [_patiently(partial(end, topic, number)) for number in range(settings.partitions)]
            for topic in topics
        }
    finally:
        consumer.close()


def start_group_at(settings: Settings, group: str, offsets: Offsets) -> None:
    """Commit offsets for a group that has no members yet: it starts there, not at the beginning."""
    starts = [
        TopicPartition(topic, number, offset)
        for topic, found in offsets.items()
        for number, offset in enumerate(found)
        if offset  # a group without an offset starts at the beginning anyway
    ]
    if not starts:
        return
    consumer = Consumer({**settings.librdkafka(), "group.id": group})
    try:
        _patiently(lambda: consumer.commit(offsets=starts, asynchronous=False))
    finally:
        consumer.close()


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Return what Kafka answers; for a while after their creation, topics and groups have nobody to ask."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def read(settings: Settings, codec: Codec, topic: str, start: list[int]) -> Iterator[Any]:
    """Yield the committed events of a topic from `start` to its end, in order per partition.

    Raises Inexact if records cannot be decoded, or if some stay uncommitted for TIMEOUT_S.
    """
    for records in _committed(settings, topic, start):
        decoded = codec.decode([record.value() for record in records])
        if decoded.dead:
            raise Inexact(f"{len(decoded.dead)} records of {topic} cannot be read")
        yield from decoded.events


def rows(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """Return the last committed value of each key of a changelog, without the keys that were deleted."""
    found: dict[bytes, bytes | None] = {}
    for records in _committed(settings, topic, [0] * settings.partitions):
        found.update((record.key(), record.value()) for record in records)
    return {key: value for key, value in found.items() if value is not None}


def _committed(settings: Settings, topic: str, start: list[int]) -> Iterator[list[Any]]:
    """Yield the committed records of a topic from `start` to its end; raises as `read`."""
    consumer = Consumer(
        {
            **settings.librdkafka(),
            "group.id": "benchmark-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, number, offset) for number, offset in enumerate(start)])
    # An end is told several times where a transaction's marker is still on its way: the offset decides.
    unread = dict(enumerate(ends(settings, (topic,))[topic]))
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while unread:
            messages = consumer.consume(READ_RECORDS, timeout=0.5)
            records = []
            for message in messages:
                if message.error() is None:
                    records.append(message)
                elif message.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(message.error())
                elif message.offset() >= unread.get(message.partition(), 0):
                    unread.pop(message.partition(), None)
            yield records
            if records:
                deadline = time.monotonic() + TIMEOUT_S
            elif time.monotonic() > deadline:
                raise Inexact(f"{topic} is not committed up to its end: {unread}")
    finally:
        consumer.close()


def agreeing(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> int:
    """Return how many of the expected values were found under their keys."""
    return sum(found.get(key) == value for key, value in expected.items())


def expect(what: str, found: Any, expected: Any) -> None:
    """Raise Inexact unless what was found is what was expected."""
    if found != expected:
        raise Inexact(f"{what}: {found}, expected {expected}")
