"""Hears what the streams say: committed records of the output topics, from when the gateway started.

Kafka -> thread -> a bounded ring of records -> event loop -> whoever listens to a key

Nothing is decoded but for somebody who listens to its key. What is older than the ring is not here: a live
listener that has fallen behind is told so, and questions about the past are the views'.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import RegistryUnavailable
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.topics import TOPICS
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)

HEARD = tuple(topic.name for topic in TOPICS if topic.stage == "output" and topic.name != "dead-letters")
"""The topics that are heard."""
REQUEST_RESULTS = "request-results"
"""What the requests stream answers."""
RING_RECORDS = 50_000
RING_BYTES = 64 * 2**20
BATCH_MAX = 2_000
WAIT_S = 0.2
ANSWERED_WITHIN_MS = 500
"""Kafka answers at once where there is something. An answer that there is nothing, on all these partitions,
costs as much, so it may come late."""
AGAIN_AFTER_S = 1.0
LISTENERS_MAX = 10_000


class Heard(NamedTuple):
    """A committed record."""

    number: int
    """Counts what was heard since the start, from 1."""
    topic: str
    partition: int
    offset: int
    key: str
    """Tenant and account, or what else the topic's key has."""
    value: bytes


Listener = Callable[[Heard], None]


class TooManyListeners(RuntimeError):
    """As many as are allowed listen already."""


class Ring:
    """The newest records, and who listens; in one event loop."""

    def __init__(self, records_max: int = RING_RECORDS, bytes_max: int = RING_BYTES) -> None:
        self._records: deque[Heard] = deque()
        self._records_max, self._bytes_max = records_max, bytes_max
        self._bytes = 0
        self.count = 0
        """How many were heard."""
        self._by_key: dict[str, list[Listener]] = {}
        self._of_all: list[Listener] = []
        self._listeners = 0

    def add(self, records: Sequence[tuple[str, int, int, str, bytes]]) -> None:
        """Keep records, and tell who listens to their keys."""
        for record in records:
            self.count += 1
            heard = Heard(self.count, *record)
            self._records.append(heard)
            self._bytes += len(heard.value)
            for listener in (*self._by_key.get(heard.key, ()), *self._of_all):
                listener(heard)
        while len(self._records) > self._records_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._records.popleft().value)

    def since(self, number: int) -> list[Heard] | None:
        """Return what was heard after the record of a number; None where some of it is gone already."""
        first = self._records[0].number if self._records else self.count + 1
        if number > self.count or number + 1 < first:
            return None
        return list(islice(self._records, number + 1 - first, None))

    @contextlib.contextmanager
    def listening(self, listener: Listener, key: str | None = None) -> Iterator[None]:
        """Have a listener told of the records of a key, or of all. Raises TooManyListeners."""
        if self._listeners >= LISTENERS_MAX:
            raise TooManyListeners(f"{LISTENERS_MAX} listen already")
        mine = self._of_all if key is None else self._by_key.setdefault(key, [])
        mine.append(listener)
        self._listeners += 1
        try:
            yield
        finally:
            mine.remove(listener)
            self._listeners -= 1
            if key is not None and not mine:
                self._by_key.pop(key, None)


class Hearing:
    """Reads the output topics in a thread, into a ring of the event loop that has started it."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self.ring = Ring()
        self._codec = codec
        self._partitions = settings.partitions
        self._consumer = BoundedConsumer(
            {
                **settings.librdkafka(),
                "group.id": f"{settings.app_id}-gateway",  # the client requires one; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": ANSWERED_WITHIN_MS,
                "log_level": 0,
            }
        )
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.silent = False
        """Whether Kafka gives nothing now."""

    def start(self) -> None:
        """Begin with what comes from now on; in the event loop. Raises KafkaException."""
        ends = [
            TopicPartition(topic, number, OFFSET_END) for topic in HEARD for number in range(self._partitions)
        ]
        self._consumer.assign(ends)
        self._consumer.consume(1, 0.0)
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, args=(loop,), name="hearing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._consumer.close()

    def decoded(self, heard: Heard) -> Any:
        """Return the event of a record, a Struct of `kernel.events`; None for what cannot be decoded."""
        try:
            return self._codec.decode([heard.value]).events[0]
        except RegistryUnavailable:
            return None

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ended.is_set():
            try:
                found = self._consumer.consume(BATCH_MAX, WAIT_S)
                self.silent = False
            except KafkaException as error:
                LOG.warning("the output topics cannot be read now: %s", error.args[0].str())
                self.silent = True
                self._ended.wait(AGAIN_AFTER_S)
                continue
            records = [record for message in found if (record := _record(message)) is not None]
            if records:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(self.ring.add, records)


def _record(message: Any) -> tuple[str, int, int, str, bytes] | None:
    """Return a message as the ring keeps it; None for what says nothing."""
    if message.error() is not None or message.value() is None or message.key() is None:
        return None
    place = message.topic(), message.partition(), message.offset()
    return (*place, message.key().decode(errors="replace"), message.value())
