"""Kafka as an audit reads it: by a client of its own, which shares nothing with the streams' transport.

A transaction is committed for its writer a moment before each of its partitions shows it. An audit that knows
of one and reads what it wrote must wait for that moment, or what is only late looks lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

READ_WITHIN_S = 10.0
QUEUED_KIB_MAX = 4096
CHUNK = 2000


class LogReadError(RuntimeError):
    """Kafka did not give what was asked for; nothing can be said about it."""


class CommittedRecord(NamedTuple):
    """A committed record."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


Ends = Mapping[int, int]
"""Offsets by partition."""


class Log(Protocol):
    """What an audit reads."""

    def ends(self, topic: str, *, committed: bool) -> Ends:
        """Return where each partition ends; `committed`: up to where readers of committed data get."""

    def applied(self, topic: str) -> Ends:
        """Return up to where the streams have committed each partition; none where they have not yet."""

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[CommittedRecord]:
        """Return the committed records from offset `start` up to but not including `stop`.

        Waits until all below `stop` is decided; raises LogReadError where that takes too long.
        """


class ClusterLog:
    """The log of a cluster; for one thread."""

    def __init__(self, connection: Mapping[str, str], group: str, partitions: int) -> None:
        """`group`: the streams' consumer group, which is asked and never joined."""
        self._partitions = range(partitions)
        self._admin = AdminClient({**connection, "log_level": 0})
        self._consumer = Consumer(
            {
                **connection,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": QUEUED_KIB_MAX,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )

    def ends(self, topic: str, *, committed: bool) -> Ends:
        """Return where each partition ends."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in self._partitions}
        try:
            answers = self._admin.list_offsets(wanted, isolation_level=level, request_timeout=READ_WITHIN_S)
            return {place.partition: int(answer.result().offset) for place, answer in answers.items()}
        except KafkaException as error:
            raise LogReadError(f"no ends of {topic}: {error.args[0].str()}") from error

    def applied(self, topic: str) -> Ends:
        """Return up to where the streams have committed each partition."""
        asked = [TopicPartition(topic, number) for number in self._partitions]
        try:
            found = self._consumer.committed(asked, timeout=READ_WITHIN_S)
        except KafkaException as error:
            raise LogReadError(f"no offsets of {topic}: {error.args[0].str()}") from error
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[CommittedRecord]:
        """Return the committed records of a part of a partition."""
        found: list[CommittedRecord] = []
        if start >= stop:
            return found
        self._consumer.assign([TopicPartition(topic, partition, start)])
        deadline = time.monotonic() + READ_WITHIN_S
        try:
            while time.monotonic() < deadline:
                if self._take(self._consumer.consume(CHUNK, 0.5), stop, found):
                    return found
        except KafkaException as error:
            raise LogReadError(f"{topic}[{partition}]: {error.args[0].str()}") from error
        finally:
            self._consumer.unassign()
        raise LogReadError(
            f"{topic}[{partition}] was not read from {start} to {stop} in {READ_WITHIN_S:.0f} s"
        )

    @staticmethod
    def _take(messages: Iterable[Any], stop: int, found: list[CommittedRecord]) -> bool:
        """Add messages; return whether there are no more below `stop`."""
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if message.offset() >= stop:
                    return True
                continue  # what stands there is not decided yet, or not shown
            if message.offset() >= stop:
                return True
            headers = {name: value or b"" for name, value in message.headers() or ()}
            found.append(CommittedRecord(message.offset(), message.key(), message.value(), headers))
        return bool(found) and found[-1].offset == stop - 1


def is_past(log: Log, topic: str, marks: Ends) -> bool:
    """Whether the streams have applied every record of a topic below the marks, as of now.

    Behind a committed offset there may be marks of transactions, which are no records.
    """
    applied = log.applied(topic)
    behind = {
        number: applied.get(number, 0) for number, mark in marks.items() if applied.get(number, 0) < mark
    }
    if not behind:
        return True
    if any(marks[number] - offset > CHUNK for number, offset in behind.items()):
        return False
    visible = log.ends(topic, committed=True)
    return all(visible[number] >= marks[number] for number in behind) and not any(
        log.read(topic, number, offset, marks[number]) for number, offset in behind.items()
    )
