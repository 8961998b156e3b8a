"""Reads what the streams have said, from a position on: committed records of an output topic, by pages.

A position has an offset for each partition, `0:120,1:33`; a partition that is not named begins at its
beginning. A page is bounded in records looked at and in time, so one without records may have a next one.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from pipeline.domain.kernel.partitions import partition_of
from pipeline.gateway.problems import Problem
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.settings import Settings

LOOKED_AT_MAX = 20_000
WITHIN_S = 5.0
AT_ONCE = 8
"""Pages that are read at a time; more are refused."""
BATCH_MAX = 500
WAIT_S = 0.2
_PART = re.compile(r"([0-9]{1,4}):([0-9]{1,18})").fullmatch


class Said(NamedTuple):
    """A committed record."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class Wanted(NamedTuple):
    """What of a topic is wanted."""

    topic: str
    tenant: str
    account: str | None
    """None: of all accounts."""
    payment: str | None
    """What the record has to name; None: nothing."""

    def has(self, said: Said) -> bool:
        """Return whether a record is wanted."""
        parts = said.key.split("/", 2)
        if parts[0] != self.tenant or (self.account is not None and parts[1:2] != [self.account]):
            return False
        return self.payment is None or self.payment.encode() in said.value


class Page(NamedTuple):
    """Some records, in the order of their partitions."""

    said: list[Said]
    position: str
    """Where the next page begins."""
    at_end: bool
    """Whether nothing was left to read."""


def position_of(text: str, partitions: int) -> dict[int, int]:
    """Return the offsets of a position. Raises Problem 400."""
    found: dict[int, int] = {}
    for part in filter(None, text.split(",")):
        named = _PART(part)
        if named is None or int(named[1]) >= partitions or int(named[1]) in found:
            raise Problem(400, "bad_position", "a position is `PARTITION:OFFSET,...`, as `next` has it")
        found[int(named[1])] = int(named[2])
    return found


class Past:
    """Reads pages; for many requests at once, in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.partitions = settings.partitions
        self._connection = {
            **settings.librdkafka(),
            "group.id": f"{settings.app_id}-gateway",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
        self._reading = 0

    async def page(self, wanted: Wanted, position: Mapping[int, int], limit: int) -> Page:
        """Return the records of a topic from a position on, at most `limit`.

        Raises Problem 410 for an offset that the log does not have any more, 503.
        """
        if self._reading >= AT_ONCE:
            raise Problem(503, "too_busy", "too many logs are read now", {"Retry-After": "1"})
        self._reading += 1
        try:
            return await asyncio.to_thread(self._page, wanted, position, limit)
        except KafkaException as error:
            raise _problem(error) from None
        finally:
            self._reading -= 1

    def _page(self, wanted: Wanted, position: Mapping[int, int], limit: int) -> Page:
        numbers = range(self.partitions)
        if wanted.account is not None:
            home = partition_of(f"{wanted.tenant}/{wanted.account}", self.partitions)
            numbers = range(home, home + 1)
        reader = _Reader({number: position.get(number, OFFSET_BEGINNING) for number in numbers})
        consumer = BoundedConsumer(self._connection)
        try:
            consumer.assign(TopicPartition(wanted.topic, one, at) for one, at in reader.at.items())
            until = time.monotonic() + WITHIN_S
            while reader.goes_on(limit) and time.monotonic() < until:
                for message in consumer.consume(BATCH_MAX, WAIT_S):
                    if reader.goes_on(limit):
                        reader.take(message, wanted)
        finally:
            consumer.close()
        left = {number: at for number, at in {**position, **reader.at}.items() if at >= 0}
        said = sorted(reader.said, key=lambda one: one[1:3])
        return Page(said, ",".join(f"{one}:{at}" for one, at in sorted(left.items())), not reader.open)


class _Reader:
    """What was read of some partitions, and up to where."""

    def __init__(self, at: dict[int, int]) -> None:
        self.at, self.open, self.said, self._looked_at = at, set(at), list[Said](), 0

    def goes_on(self, limit: int) -> bool:
        """Return whether more has to be read."""
        return bool(self.open) and len(self.said) < limit and self._looked_at < LOOKED_AT_MAX

    def take(self, message: Any, wanted: Wanted) -> None:
        """Look at a record, or at the end of a partition. Raises KafkaException."""
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            self.open.discard(message.partition())
            return
        key, value = message.key(), message.value()
        number, offset = message.partition(), message.offset()
        self._looked_at += 1
        self.at[number] = offset + 1
        if key is not None and value is not None:
            said = Said(wanted.topic, number, offset, key.decode(errors="replace"), value)
            if wanted.has(said):
                self.said.append(said)


def _problem(error: KafkaException) -> Problem:
    if error.args[0].code() == KafkaError._AUTO_OFFSET_RESET:
        return Problem(410, "position_gone", "the log does not have that position any more: begin without")
    return Problem(503, "log_unavailable", "Kafka does not answer now", {"Retry-After": "1"})
