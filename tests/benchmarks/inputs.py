"""Input of the jobs: events written to a topic before a worker is timed, and what they have in common."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from confluent_kafka import Producer

from pipeline.domain.kernel.routing import BROADCAST
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings

TENANT = "bench"
AMOUNT_MINOR_MAX = 5_000
CHUNK_EVENTS = 2_000
TIMEOUT_S = 60.0
GATE_OPENS_WITHIN_MS = 600_000
PARTITION_UA = -1
"""librdkafka's word for: by the key."""


class Record(NamedTuple):
    """A record that is ready to be written."""

    key: bytes
    value: bytes
    partition: int = PARTITION_UA


def produce(settings: Settings, codec: Codec, topic: str, keyed: Iterable[tuple[str, Any]]) -> int:
    """Write (key, event) pairs, in order per partition; return the number of records once Kafka has them all.

    What intake passes on to every partition of a log (prices) goes to every partition here, too.
    """
    return write(settings, topic, _records(settings, codec, keyed))


def _records(settings: Settings, codec: Codec, keyed: Iterable[tuple[str, Any]]) -> Iterator[Record]:
    for chunk in _chunks(keyed):
        for (key, event), value in zip(chunk, encode(codec, [event for _, event in chunk]), strict=True):
            everywhere = type(event) in BROADCAST
            for partition in range(settings.partitions) if everywhere else (PARTITION_UA,):
                yield Record(key.encode(), value, partition)


def write(settings: Settings, topic: str, records: Iterable[Record]) -> int:
    """Write records, in order per partition; return their number once Kafka has them all."""
    return _write(Producer(_config(settings)), topic, records)


class Gate:
    """Records that are in a topic and not visible yet: all of them become so at the moment it is opened."""

    def __init__(self, settings: Settings, topic: str, name: str) -> None:
        open_for = {"transactional.id": name, "transaction.timeout.ms": GATE_OPENS_WITHIN_MS}
        self._topic = topic
        self._settings = settings
        self._producer = Producer({**_config(settings), **open_for})
        self._producer.init_transactions(TIMEOUT_S)
        self._producer.begin_transaction()

    def fill(self, codec: Codec, keyed: Iterable[tuple[str, Any]]) -> int:
        """Write (key, event) pairs as `produce` does, behind the gate."""
        return _write(self._producer, self._topic, _records(self._settings, codec, keyed))

    def open(self) -> None:
        """Let all of it be seen."""
        self._producer.commit_transaction(TIMEOUT_S)


def _config(settings: Settings) -> dict[str, Any]:
    return {
        **settings.librdkafka(),
        "log_level": 3,  # a new broker makes its clients wait a little, and they warn of it
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "linger.ms": 20,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1_000_000,
    }


def _write(producer: Producer, topic: str, records: Iterable[Record]) -> int:
    failures: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failures.append(str(error))

    count = 0
    for record in records:
        _send(producer, topic, record, delivered)
        count += 1
        if count % CHUNK_EVENTS == 0:
            producer.poll(0)
    producer.flush()
    if failures:
        raise RuntimeError(f"{len(failures)} of {count} records did not reach {topic}: {failures[0]}")
    return count


def encode(codec: Codec, events: list[Any]) -> list[bytes]:
    """Return the values of events of any classes, in order."""
    values: list[bytes] = [b""] * len(events)
    places: dict[type, list[int]] = {}
    for place, event in enumerate(events):
        places.setdefault(type(event), []).append(place)
    for found in places.values():
        for place, value in zip(found, codec.encode([events[place] for place in found]), strict=True):
            values[place] = value
    return values


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    upcoming = iter(items)
    while chunk := list(islice(upcoming, CHUNK_EVENTS)):
        yield chunk


def _send(producer: Producer, topic: str, record: Record, delivered: Any) -> None:
    key, value, partition = record
    while True:
        try:
            producer.produce(topic, value, key, partition, on_delivery=delivered)
            return
        except BufferError:
            producer.poll(0.1)


def envelope(event_id: str, at: int, tenant: str = TENANT) -> tuple[str, str, int, str, None]:
    """Return the first fields of every event; `at` is its time, microseconds UTC."""
    return event_id, tenant, at, event_id, None


def now_us() -> int:
    """Return the time, microseconds UTC."""
    return time.time_ns() // 1000
