"""Source offsets that an earlier version wrote, taken over into the changelogs: `ledgerflow migrate`.

    join the group (no worker may be in it) -> read source-offsets, changelogs, operator-actions
    -> one transaction in the name of that membership: offsets, group offsets, what was done and by whom

A worker that is in the group keeps this command out, and this command keeps workers out while it lasts: they
name other protocols. A membership that ends meanwhile cannot commit (KIP-447). A partition is taken over
once.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Offset

from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.faults import WorkerFault
from pipeline.runtime.kafka.changelog import first_offsets, latest_of, log_ends, read
from pipeline.runtime.kafka.operator_actions import read_actions, who
from pipeline.runtime.kafka.topics import OPERATOR_ACTIONS, REQUEST_TIMEOUT_S, source_offsets_name
from pipeline.runtime.settings import Settings
from pipeline.runtime.source_offsets import number_of
from pipeline.runtime.store.database import SOURCE_LOG_KEY, SOURCE_OFFSET_KEY

ACTION = "OFFSETS_ADOPTED"
JOINS_WITHIN_S = 30.0
"""Longer than a session: a worker that was killed is a member until its session ends."""
READS_WITHIN_MS = 3_600_000
CHANGELOGS, SECOND = "changelogs", "source-offsets"
"""Which of two offsets that differ is taken, where an operator says so."""


class AdoptionError(RuntimeError):
    """Offsets cannot be taken over. The text is one line: why, and what to do."""


class StreamLog(NamedTuple):
    """A stream, the log that it reads, and its changelog."""

    stream: str
    topic: str
    changelog: str
    earlier: str | None = None
    """The log that it read in an earlier version, where that was another one."""


class Place(NamedTuple):
    """One partition of a stream."""

    log: StreamLog
    partition: int

    def __str__(self) -> str:
        return f"{self.log.stream}[{self.partition}]"


class Adoption(NamedTuple):
    """An offset to be written: into the changelog, or (`second`) into source-offsets."""

    place: Place
    offset: int
    second: bool


class Found(NamedTuple):
    """What is written of how far streams have applied their logs."""

    own: Mapping[Place, int]
    """In changelogs."""
    beside: Mapping[Place, int]
    """In source-offsets."""
    adopted: frozenset[tuple[str, int]]
    """What was taken over before: stream and partition."""
    logs: Mapping[Place, bytes] = {}
    """The names of the logs that the offsets in changelogs are of, where a changelog says so."""


def plan(places: Sequence[Place], found: Found, take: str | None = None) -> list[Adoption]:
    """Return what is to be written. `take`: CHANGELOGS or SECOND, where the two differ; None: no choice.

    Raises AdoptionError for offsets that differ, and for those that were taken over before.
    """
    adoptions = []
    for place in places:
        own, beside = found.own.get(place), found.beside.get(place)
        if own == beside:
            continue
        if take is None and own is not None:
            raise AdoptionError(
                f"{place}: {place.log.changelog} says {own}, source-offsets says {beside}: no earlier version"
                " wrote that. Find out who did, then say which one is right (--take, --reason)"
            )
        if take is None and (place.log.stream, place.partition) in found.adopted:
            raise AdoptionError(
                f"{place}: its offset was taken over before, and is gone from {place.log.changelog}: somebody"
                " deleted it. Find out who did, then say which one is right (--take, --reason)"
            )
        right = own if take == CHANGELOGS else beside
        if right is None:
            raise AdoptionError(f"{place}: {take} does not say how far {place.log.topic} is applied")
        adoptions.append(Adoption(place, right, take == CHANGELOGS))
    return adoptions


@contextmanager
def alone_in_the_group(settings: Settings) -> Iterator[Consumer]:
    """Join the streams' group, in which no worker may be; leave it at the end. Raises AdoptionError."""
    consumer = Consumer(
        {
            **settings.librdkafka(),
            "group.id": settings.app_id,
            "enable.auto.commit": False,
            "partition.assignment.strategy": "range",
            "max.poll.interval.ms": READS_WITHIN_MS,
            "log_level": 0,
        }
    )
    try:
        consumer.subscribe([source_offsets_name(settings.app_id)], on_assign=_read_nothing)
        deadline = time.monotonic() + JOINS_WITHIN_S
        while not consumer.assignment():
            message = consumer.poll(0.2)
            error = None if message is None else message.error()
            if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise AdoptionError(f"Kafka refuses it: {error.str()}")
            if time.monotonic() > deadline:
                raise AdoptionError(
                    f"workers are in the group {settings.app_id}, or were until a moment ago: stop them all,"
                    " and run it again"
                )
        yield consumer
    finally:
        consumer.close()


def _read_nothing(consumer: Consumer, places: Sequence[Offset]) -> None:
    """Take an assignment for the sake of the membership: librdkafka inflates what it fetches unbounded."""
    consumer.assign([Offset(place.topic, place.partition, OFFSET_END) for place in places])
    consumer.pause(places)


async def read_found(settings: Settings, codec: Codec, places: Sequence[Place]) -> Found:
    """Return what is written, with every transaction decided. Raises AdoptionError, as `Codec.decode`."""
    connection = settings.aiokafka()
    numbers = sorted({place.partition for place in places})
    second = [TopicPartition(source_offsets_name(settings.app_id), number) for number in numbers]
    latest = await latest_of(connection, second)
    actions = await read_actions(connection, codec, numbers)
    own, logs = await _own(connection, places)
    try:
        beside = {
            place: number_of(value, f"{second[0].topic}[{place.partition}]")
            for place in places
            for value in [latest[second[0]._replace(partition=place.partition)].get(source_offset_key(place))]
            if value is not None
        }
        stated = {place: number_of(value, f"{place.log.changelog}") for place, value in own.items()}
    except WorkerFault as fault:
        raise AdoptionError(str(fault)) from None
    adopted = {(one.subject or "", one.partition) for one in actions if one.action == ACTION}
    return Found(stated, beside, frozenset(adopted), logs)


async def _own(
    connection: Mapping[str, Any], places: Iterable[Place]
) -> tuple[dict[Place, bytes], dict[Place, bytes]]:
    """Return the offsets in changelogs, and the logs that they are of; all of the changelogs are read."""
    by_log = {TopicPartition(place.log.changelog, place.partition): place for place in places}
    starts, ends = await first_offsets(connection, list(by_log)), await log_ends(connection, list(by_log))
    found: dict[bytes, dict[Place, bytes]] = {SOURCE_OFFSET_KEY: {}, SOURCE_LOG_KEY: {}}
    async for tp, records, _ in read(connection, starts, ends):
        for record in records:
            if record.key not in found:
                continue
            if record.value is None:
                found[record.key].pop(by_log[tp], None)
            else:
                found[record.key][by_log[tp]] = record.value
    return found[SOURCE_OFFSET_KEY], found[SOURCE_LOG_KEY]


def write(
    settings: Settings,
    codec: Codec,
    member: Consumer,
    adoptions: Sequence[Adoption],
    group: Mapping[tuple[str, int], int],
    reason: str,
    moved: Sequence[tuple[Adoption, Sequence[tuple[str, int, bytes, bytes]]]] = (),
) -> None:
    """Write offsets, the group's, and what was done, in one transaction of a member of the group.

    `moved`: offsets that a stream takes from another one, with the records that say so (`moving`).

    Raises KafkaException, and as `Codec.encode`; then nothing is written.
    """
    own = {"transactional.id": f"{settings.app_id}-migrate", "log_level": 0}
    producer = Producer({**settings.librdkafka(), **own})
    producer.init_transactions(REQUEST_TIMEOUT_S)
    producer.begin_transaction()
    try:
        for place, offset, second in adoptions:
            topic = source_offsets_name(settings.app_id) if second else place.log.changelog
            key = source_offset_key(place) if second else SOURCE_OFFSET_KEY
            producer.produce(topic, b"%d" % offset, key, place.partition)
            _say(producer, codec, settings, place, offset, reason)
        for (place, offset, _), records in moved:
            for topic, partition, key, value in records:
                producer.produce(topic, value, key, partition)
            _say(producer, codec, settings, place, offset, f"{reason} (a stream that reads another log now)")
        offsets = [Offset(topic, number, offset) for (topic, number), offset in sorted(group.items())]
        producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), REQUEST_TIMEOUT_S)
        producer.commit_transaction(REQUEST_TIMEOUT_S)
    except KafkaException:
        producer.abort_transaction(REQUEST_TIMEOUT_S)
        raise


def group_offsets(beside: Mapping[Place, int], adoptions: Sequence[Adoption]) -> dict[tuple[str, int], int]:
    """Return the group's offsets that belong to these: of each log that of the stream furthest behind.

    `beside`: in source-offsets.
    """
    applied = {**beside, **{place: offset for place, offset, _ in adoptions}}
    offsets: dict[tuple[str, int], int] = {}
    for place, offset in applied.items():
        log = place.log.topic, place.partition
        offsets[log] = min(offset, offsets.get(log, offset))
    return offsets


def source_offset_key(place: Place) -> bytes:
    """Return the key of a stream's offset in source-offsets."""
    return place.log.stream.encode()


def _say(
    producer: Producer, codec: Codec, settings: Settings, place: Place, offset: int, reason: str
) -> None:
    acted = codec.encode([_action(settings, place, offset, reason)])[0]
    producer.produce(OPERATOR_ACTIONS, acted, f"/{place.log.topic}".encode(), place.partition)


def _action(settings: Settings, place: Place, offset: int, reason: str) -> ev.OperatorActed:
    event_id, now = str(uuid.uuid4()), time.time_ns() // 1000
    about = place.log.topic, place.partition, offset, offset, place.log.stream
    return ev.OperatorActed(event_id, "", now, event_id, None, ACTION, who(settings), reason, *about)
