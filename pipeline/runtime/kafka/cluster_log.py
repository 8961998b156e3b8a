"""How audits and alerts read Kafka: with a client of their own, which shares nothing with the transport.

The writer of a transaction knows that it is committed a moment before consumers of each partition see it. A
reader of what a committed transaction wrote must wait for that, or late records would look lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.log_ends import asking, begins, ends

READ_WITHIN_S = 10.0
CHUNK = 2000


class LogReadError(RuntimeError):
    """Kafka could not be read in time, so nothing can be concluded."""


class CommittedRecord(NamedTuple):
    """A committed record."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


Ends = Mapping[int, int]
"""Offsets by partition."""
Asked = Callable[[Consumer, Iterable[tuple[str, int]], float], Mapping[tuple[str, int], int]]
"""`begins` or `ends`."""


class Log(Protocol):
    """The logs that an audit reads."""

    def begins(self, topic: str) -> Ends:
        """Return the first offset that each partition still has. Raises LogReadError."""

    def ends(self, topic: str, *, committed: bool) -> Ends:
        """Return the end offset of each partition; `committed`: the last stable one. Raises LogReadError."""

    def applied(self, topic: str) -> Ends:
        """Return the offsets that the streams have committed, by partition, where there is one.

        Raises LogReadError.
        """

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[CommittedRecord]:
        """Return the committed records from offset `start` up to but not including `stop`.

        Waits until every transaction below `stop` is committed or aborted. Raises LogReadError where that
        takes too long.
        """


class ClusterLog:
    """The logs of a cluster; for one thread."""

    def __init__(self, connection: Mapping[str, str], group: str, partitions: int) -> None:
        """`group`: the streams' consumer group; its offsets are read, and it is never joined."""
        self._partitions = range(partitions)
        self._asking = {which: asking(connection, group, committed=which) for which in (True, False)}
        self._consumer = BoundedConsumer(
            {
                **connection,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 0,
            }
        )

    def begins(self, topic: str) -> Ends:
        """Return the first offset that each partition still has. Raises LogReadError."""
        return self._offsets(topic, begins, False)

    def ends(self, topic: str, *, committed: bool) -> Ends:
        """Return the end offset of each partition. Raises LogReadError."""
        return self._offsets(topic, ends, committed)

    def _offsets(self, topic: str, asked: Asked, committed: bool) -> Ends:
        places = [(topic, number) for number in self._partitions]
        try:
            found = asked(self._asking[committed], places, READ_WITHIN_S)
            return {number: offset for (_, number), offset in found.items()}
        except KafkaException as error:
            raise LogReadError(f"no offsets of {topic}: {error.args[0].str()}") from error

    def applied(self, topic: str) -> Ends:
        """Return the offset that the streams have committed, by partition. Raises LogReadError."""
        asked = [TopicPartition(topic, number) for number in self._partitions]
        try:
            found = self._consumer.committed(asked, timeout=READ_WITHIN_S)
        except KafkaException as error:
            raise LogReadError(f"no offsets of {topic}: {error.args[0].str()}") from error
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[CommittedRecord]:
        """Return the committed records from `start` to below `stop`. Raises LogReadError."""
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
        """Append messages to `found`; return whether all below `stop` are read. Raises KafkaException."""
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if message.offset() >= stop:
                    return True
                continue  # the next transaction is still open, or not visible yet
            if message.offset() >= stop:
                return True
            headers = {name: value or b"" for name, value in message.headers() or ()}
            found.append(CommittedRecord(message.offset(), message.key(), message.value(), headers))
        return bool(found) and found[-1].offset == stop - 1


def is_past(log: Log, topic: str, marks: Ends) -> bool:
    """Return whether the streams have applied every record of a topic below `marks`. Raises LogReadError.

    Between a committed offset and a mark there may be control records of transactions only.
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
