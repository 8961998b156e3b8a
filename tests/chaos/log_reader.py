"""Topics as plain records: what the checker knows of Kafka and of the registry, and nothing else.

    topic -> read_committed, up to the high watermark of the moment -> frame -> strict Avro -> Record

An open transaction hides what comes after its first record. A read therefore waits a while for the last
stable offset to reach the high watermark that it saw; if it does not, the slice is not `whole`, and nobody
may say that its tail is lost.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from pipeline.runtime.avro.connection import Connection
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.verify.decode import Decoder, registry_schemas
from pipeline.verify.model.record import Record

TIMEOUT_S = 30.0
POLL_S = 0.05
BATCH_RECORDS = 1_000


class Slice(NamedTuple):
    """The committed records of a partition from some offset on, in order."""

    records: list[Record]
    end: int
    """Where to read on."""
    whole: bool
    """Whether everything that was in the log when the read began is in `records`."""


class Gap(NamedTuple):
    """Offsets of a partition that were deleted before they were read."""

    topic: str
    partition: int
    start: int
    end: int


class LogReader:
    """Reads topics and the committed offsets of `group`; never joins the group and commits nothing."""

    def __init__(
        self, kafka: Mapping[str, str], registry: Connection, group: str, settle_s: float = 20.0
    ) -> None:
        """`kafka`: how librdkafka reaches it. `settle_s`: how long to wait for open transactions to end."""
        common = {**kafka, "group.id": group, "enable.auto.commit": False}
        self._committed = BoundedConsumer(
            {
                **common,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
            }
        )
        self._uncommitted = Consumer({**common, "isolation.level": "read_uncommitted"})
        self._decoder = Decoder(registry_schemas(registry))
        self._settle_s = settle_s
        self.gaps: list[Gap] = []
        """What was gone where a read began."""

    def close(self) -> None:
        """Give back the connections."""
        self._committed.close()
        self._uncommitted.close()

    @property
    def skipped(self) -> list[tuple[str, int, int, int, str]]:
        """The batches that could not be read so far: topic, partition, first and last offset, code."""
        return [
            (topic, number, batch.first, batch.offset, batch.code)
            for topic, number, batch in self._committed.skipped
        ]

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic."""
        about = self._committed.list_topics(timeout=TIMEOUT_S).topics.get(topic)
        return 0 if about is None else len(about.partitions)

    def committed(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Return the group's offsets, 0 where it has none; a commit under way is waited for.

        One partition at a time: there may be no moment at which no partition has a commit under way.
        """
        asked = [TopicPartition(name, number) for name in topics for number in range(self.partitions(name))]
        found = [self._committed.committed([place], timeout=TIMEOUT_S)[0] for place in asked]
        return {(place.topic, place.partition): max(0, place.offset) for place in found}

    def read(self, topic: str, starts: dict[int, int] | None = None) -> dict[int, Slice]:
        """Return every partition of a topic, from its beginning or from `starts`."""
        numbers = range(self.partitions(topic))
        bounds = {number: self._watermarks(topic, number) for number in numbers}
        ends = {number: end for number, (_, end) in bounds.items()}
        positions = {number: (starts or {}).get(number, 0) for number in numbers}
        for number, (first, _) in bounds.items():
            if positions[number] < first:
                self.gaps.append(Gap(topic, number, positions[number], first))
                positions[number] = first
        found: dict[int, list[Record]] = {number: [] for number in numbers}
        self._committed.assign(
            [TopicPartition(topic, number, positions[number] or OFFSET_BEGINNING) for number in numbers]
        )
        try:
            moved = time.monotonic()
            while any(positions[number] < ends[number] for number in numbers):
                messages = self._committed.consume(BATCH_RECORDS, POLL_S)
                if messages:
                    moved = time.monotonic()
                elif time.monotonic() - moved > self._settle_s:
                    break
                for message in messages:
                    number, offset = message.partition(), message.offset()
                    error = message.error()
                    if error is None:
                        found[number].append(self._record(message))
                        positions[number] = offset + 1
                    elif error.code() == KafkaError._PARTITION_EOF:
                        positions[number] = max(positions[number], offset)
                    else:
                        raise RuntimeError(f"{topic}[{number}]: {error.str()}")
        finally:
            self._committed.unassign()
        return {
            number: Slice(found[number], positions[number], positions[number] >= ends[number])
            for number in numbers
        }

    def losses(self, topics: Container[str]) -> list[Gap]:
        """Return what is gone of some topics, as far as they are read, and nobody has accepted."""
        accepted = self._accepted()
        return [
            gap
            for gap in self.gaps
            if gap.topic in topics and accepted.get((gap.topic, gap.partition), 0) < gap.end
        ]

    def _accepted(self) -> dict[tuple[str, int], int]:
        """Return up to where people do without what logs have lost."""
        found: dict[tuple[str, int], int] = {}
        for part in self.read("operator-actions").values():
            for record in part.records:
                if record.fields.get("action") == "LOSS_ACCEPTED":
                    place = record.fields["topic"], record.fields["partition"]
                    found[place] = max(found.get(place, 0), record.fields["end_offset"])
        return found

    def _watermarks(self, topic: str, number: int) -> tuple[int, int]:
        """Return the first offset of a partition, and the one behind all of its records."""
        place = TopicPartition(topic, number)
        first, end = self._uncommitted.get_watermark_offsets(place, timeout=TIMEOUT_S)
        return int(first), int(end)

    def _record(self, message: Any) -> Record:
        headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
        place = (message.topic(), message.partition(), message.offset(), message.timestamp()[1])
        value = message.value()
        decoded = (None, {}, None) if is_raw(message.topic()) else self._decoder.read(value)
        return Record(*place, message.key(), value, headers, *decoded)


def is_raw(topic: str) -> bool:
    """Whether the values of a topic are no events: rows of tables, and what could not be applied."""
    return topic == "dead-letters" or topic.endswith(("-changelog", "-source-offsets"))
