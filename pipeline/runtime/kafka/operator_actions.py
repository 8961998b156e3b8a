"""What people decided about faults: the topic `operator-actions`, written by commands.

    command -> act -> operator-actions, partition of what it is about -> decisions -> recovery, verify

One partition has one order of actions. The topic is short, so whoever needs it reads all of it.
"""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from confluent_kafka import KafkaException, Producer

from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.changelog import first_offsets, log_ends, read
from pipeline.runtime.kafka.quarantine import Quarantine, Quarantined
from pipeline.runtime.kafka.topics import OPERATOR_ACTIONS, REQUEST_TIMEOUT_S
from pipeline.runtime.settings import Settings

NO_OFFSET = -1
LOSS_ACCEPTED, QUARANTINED, TRANSACTION_ABORTED = "LOSS_ACCEPTED", "QUARANTINED", "TRANSACTION_ABORTED"
WAITING_MAX = 10_000
"""Actions that wait for Kafka at the same time."""


class Spans(NamedTuple):
    """Ranges of offsets of one partition, from the first offset up to but not including the end."""

    ranges: tuple[tuple[int, int], ...] = ()

    def covers(self, first: int, end: int) -> bool:
        """Return whether one of the ranges holds all offsets from `first` up to `end`."""
        return any(start <= first and end <= stop for start, stop in self.ranges)

    def touches(self, first: int, end: int) -> bool:
        """Return whether one of the ranges holds an offset from `first` up to `end`."""
        return any(start < end and first < stop for start, stop in self.ranges)

    @property
    def end(self) -> int:
        """The offset behind the last of the ranges; 0 where there is none."""
        return max((stop for _, stop in self.ranges), default=0)


class Decisions(NamedTuple):
    """What people decided, by action and then by (topic, partition)."""

    spans: Mapping[str, Mapping[tuple[str, int], Spans]]

    def of(self, action: str, topic: str, partition: int) -> Spans:
        """Return the ranges of a partition that an action is about; `action`: a symbol of the schema."""
        return self.spans.get(action, {}).get((topic, partition), Spans())

    def lost_until(self, topic: str, partition: int) -> int:
        """Return up to which offset of a log people do without what is gone; 0 where they have not said."""
        return self.of(LOSS_ACCEPTED, topic, partition).end


def decisions(actions: Iterable[ev.OperatorActed]) -> Decisions:
    """Return what actions, in their order, come to."""
    spans: dict[str, dict[tuple[str, int], Spans]] = {}
    for one in actions:
        if one.first_offset == NO_OFFSET:
            continue
        found = spans.setdefault(one.action, {})
        place = one.topic, one.partition
        known = found.get(place, Spans()).ranges
        found[place] = Spans((*known, (one.first_offset, one.end_offset)))
    return Decisions(spans)


def quarantined(actions: Iterable[ev.OperatorActed]) -> Quarantined:
    """Return what actions have quarantined."""
    found: dict[tuple[str, int], list[Quarantine]] = {}
    for one in actions:
        if one.action == QUARANTINED and 0 <= one.first_offset < one.end_offset:
            about = Quarantine(one.first_offset, one.end_offset, f"{one.operator}: {one.reason}")
            found.setdefault((one.topic, one.partition), []).append(about)
    return {place: sorted(ranges) for place, ranges in found.items()}


async def read_actions(
    connection: Mapping[str, Any], codec: Codec, partitions: Iterable[int]
) -> list[ev.OperatorActed]:
    """Return the committed actions of some partitions, in the order of each. Raises as `Codec.decode`."""
    places = [TopicPartition(OPERATOR_ACTIONS, number) for number in sorted(set(partitions))]
    if not places:
        return []
    found: list[ev.OperatorActed] = []
    starts, ends = await first_offsets(connection, places), await log_ends(connection, places)
    async for _, records, _ in read(connection, starts, ends):
        events = codec.decode([record.value for record in records]).events
        found += [event for event in events if isinstance(event, ev.OperatorActed)]
    return found


def who(settings: Settings) -> str:
    """Return the name of whoever runs a command: that of the login, else the user of the machine."""
    if settings.security_protocol.startswith("SASL") and settings.sasl_username:
        return settings.sasl_username
    return getpass.getuser()


class About(NamedTuple):
    """What an action is about."""

    topic: str
    partition: int
    first_offset: int = NO_OFFSET
    end_offset: int = NO_OFFSET
    subject: str | None = None


def act(
    settings: Settings,
    codec: Codec,
    action: str,
    reason: str,
    topic: str,
    partition: int,
    first_offset: int = NO_OFFSET,
    end_offset: int = NO_OFFSET,
    subject: str | None = None,
) -> ev.OperatorActed:
    """Write an action of whoever runs this command; return it once Kafka has acknowledged it.

    Raises KafkaException, NotRegistered, RegistryUnavailable.
    """
    about = About(topic, partition, first_offset, end_offset, subject)
    (event,) = act_all(settings, codec, action, reason, [about])
    return event


def act_all(
    settings: Settings, codec: Codec, action: str, reason: str, about: Iterable[About]
) -> list[ev.OperatorActed]:
    """Write an action on each of several things; return them once Kafka has acknowledged all.

    Raises KafkaException, NotRegistered, RegistryUnavailable.
    """
    now, operator = time.time_ns() // 1000, who(settings)
    events = []
    for one in about:
        event_id = str(uuid.uuid4())
        events.append(
            ev.OperatorActed(
                event_id, "", now, event_id, None, action, operator, reason, one.topic, one.partition,
                one.first_offset, one.end_offset, one.subject,
            )
        )  # fmt: skip
    producer = Producer({**settings.librdkafka(), "enable.idempotence": True, "log_level": 0})
    failures: list[object] = []
    for event, value in zip(events, codec.encode(events), strict=True):
        producer.produce(
            OPERATOR_ACTIONS,
            value,
            f"/{event.topic}".encode(),
            event.partition,
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
        if len(producer) >= WAITING_MAX:
            producer.flush(REQUEST_TIMEOUT_S)
    if producer.flush(REQUEST_TIMEOUT_S) or failures:
        raise KafkaException(failures[0] if failures else "the action could not be written in time")
    return events
