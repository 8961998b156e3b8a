"""The reading layer: committed records of a topic partition, in order, from the beginning to a fixed end.

`KafkaLog` reads a cluster; tests put a dict of lists in its place. Nothing of the streams is shared: only the
topics are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.messages import Message, Skipped
from pipeline.runtime.kafka.rest import RestWatch, wait_for_rest
from pipeline.verify.log_error import LogError
from pipeline.verify.streams import READERS

READ_TIMEOUT_S = 30.0
"""Silence of the cluster after which a read gives up."""
BATCH_RECORDS = 1_000
"""How much is taken at once of what a reader keeps."""
QUIET_POLL_S = 0.25


class Record(NamedTuple):
    """One committed record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    recorded_at: int = 0
    """Kafka's time, microseconds UTC."""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class TopicLog(Protocol):
    """What verification reads."""

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic."""
        ...

    def first(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still has; 0 unless records were deleted."""
        ...

    def read(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield the committed records of a partition in order."""
        ...

    @property
    def skipped(self) -> Iterable[Skipped]:
        """The batches that could not be read so far, and were passed over."""
        ...


class KafkaLog:
    """The committed records of a cluster up to the ends of `wait_until_quiet` (else: of the first read)."""

    def __init__(self, connection: Mapping[str, str], group: str = "ledgerflow") -> None:
        """`connection`: the connection part of a librdkafka configuration; `group`: the
        streams' consumer group, which is asked how far it has read, and never joined."""
        self._connection = dict(connection)
        self._group = group
        self._client = {
            **self._connection,
            "log_level": 0,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,  # each partition is read to its end, where a fetch would wait
        }
        self._consumer = BoundedConsumer(self._client)
        self._free = [self._consumer]
        """Consumers that read nothing just now; several topics are read side by side."""
        self._opened = [self._consumer]
        self._partitions: dict[str, int] = {}
        self._ends: dict[tuple[str, int], int] = {}

    def close(self) -> None:
        """Give back the connections."""
        for consumer in self._opened:
            consumer.close()

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic. Raises LogError."""
        if not self._partitions:
            try:
                found = self._consumer.list_topics(timeout=READ_TIMEOUT_S).topics
            except KafkaException as error:
                raise LogError(f"no answer from Kafka: {error.args[0].str()}") from error
            self._partitions = {name: len(about.partitions) for name, about in found.items()}
        return self._partitions.get(topic, 0)

    def wait_until_quiet(self, topics: list[str], quiet_s: float, timeout_s: float) -> str | None:
        """Wait until no topic grew for `quiet_s` and the streams are at rest; fix the ends there.

        Returns what is still going on after `timeout_s` in which they came no nearer to rest, or None. Raises
        LogError.
        """
        places = [(topic, number) for topic in topics for number in range(self.partitions(topic))]
        with closing(RestWatch(self._connection, self._group, places, readers=READERS)) as watch:
            try:
                busy = wait_for_rest(watch, quiet_s, timeout_s)
            except KafkaException as error:
                raise LogError(f"no offsets from Kafka: {error.args[0].str()}") from error
            self._ends = dict(watch.stable)
        return busy

    def end(self, topic: str, partition: int) -> int:
        """Return where the read of a partition ends: the first offset that it does not give."""
        place = topic, partition
        if place not in self._ends:
            self._ends[place] = self._end(topic, partition)
        return self._ends[place]

    def first(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still has. Raises LogError."""
        return self._bounds(topic, partition)[0]

    def _end(self, topic: str, partition: int) -> int:
        return self._bounds(topic, partition)[1]

    def _bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition, and the one behind its last."""
        place = TopicPartition(topic, partition)
        deadline = time.monotonic() + READ_TIMEOUT_S
        while True:
            try:
                first, end = self._consumer.get_watermark_offsets(place, timeout=READ_TIMEOUT_S)
                return int(first), int(end)
            except KafkaException as error:  # a topic that is new, or that moves, has no leader for a moment
                if time.monotonic() > deadline:
                    text = f"no offsets of {topic}[{partition}]: {error.args[0].str()}"
                    raise LogError(text) from error
                time.sleep(QUIET_POLL_S)

    def read(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield the committed records of a partition in order. Raises LogError.

        The end is an offset, not a record: the last offsets may be control records, which are never
        delivered, so the read also ends where the client says that there is no more.
        """
        end = self.end(topic, partition)
        if end == 0:
            return
        consumer = self._free.pop() if self._free else self._open()
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        try:
            while True:
                first = consumer.poll(READ_TIMEOUT_S)
                if first is None:
                    raise LogError(f"{topic}[{partition}] gave nothing for {READ_TIMEOUT_S:.0f} s")
                for message in (first, *consumer.consume(BATCH_RECORDS, 0)):
                    if self._is_end(message):
                        return
                    record = _record(topic, partition, message)
                    if record.offset >= end:
                        return
                    yield record
        finally:
            consumer.unassign()
            self._free.append(consumer)

    @property
    def skipped(self) -> Iterable[Skipped]:
        """The batches that could not be read so far, and were passed over."""
        return [batch for consumer in self._opened for batch in consumer.skipped]

    def _open(self) -> BoundedConsumer:
        consumer = BoundedConsumer(self._client)
        self._opened.append(consumer)
        try:
            consumer.list_topics(timeout=READ_TIMEOUT_S)  # else its first read waits a second for it
        except KafkaException as error:
            raise LogError(f"no answer from Kafka: {error.args[0].str()}") from error
        return consumer

    @staticmethod
    def _is_end(message: Any) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            return True
        raise LogError(f"{message.topic()}[{message.partition()}]: {error.str()}")


def _record(topic: str, partition: int, message: Message) -> Record:
    headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
    key, value, offset = message.key(), message.value(), message.offset()
    assert offset is not None and not isinstance(key, str) and not isinstance(value, str)
    return Record(topic, partition, offset, key, value, headers, message.timestamp()[1] * 1_000)
