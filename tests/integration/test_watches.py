"""Whether the streams have work left, as the load sees it: marks of transactions are none, a record is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.loadgen import watches
from pipeline.loadgen.watches import StreamsWatch
from pipeline.runtime.settings import Settings

TIMEOUT_S = 30.0


class Log:
    """A log that is written in transactions, and how far a group of streams has read it."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._connection = settings.librdkafka()
        admin = AdminClient(self._connection)
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(TIMEOUT_S)
        self._producer = Producer({**self._connection, "transactional.id": name})
        self._producer.init_transactions(TIMEOUT_S)

    def write(self) -> None:
        """Write a record and the mark of its transaction."""
        self._producer.begin_transaction()
        self._producer.produce(self.name, b"record")
        self._producer.commit_transaction(TIMEOUT_S)

    def read(self, end: int) -> None:
        """Commit what the streams have read."""
        group = Consumer({**self._connection, "group.id": self.name, "enable.auto.commit": False})
        group.commit(offsets=[TopicPartition(self.name, 0, end)], asynchronous=False)
        group.close()

    def idle_after(self, timeout_s: float) -> float:
        """Return how long it takes until the streams are idle, or the timeout."""
        started = time.monotonic()
        with StreamsWatch(self._connection, self.name, 1) as watch:
            watch.wait_until_idle(0.2, timeout_s, lambda: None)
        return time.monotonic() - started


@pytest.fixture
def log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log with two records, each with a mark behind it."""
    name = f"watched-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(watches, "READ", (name,))
    made = Log(settings, name)
    made.write()
    made.write()
    yield made


def test_streams_that_have_read_every_record_are_idle_although_marks_are_left(log: Log) -> None:
    log.read(3)  # record, mark, record | mark
    assert log.idle_after(TIMEOUT_S) < TIMEOUT_S


def test_streams_that_have_a_single_record_left_are_not_idle(log: Log) -> None:
    log.read(1)
    assert log.idle_after(3.0) >= 3.0


def test_where_no_streams_have_ever_run_only_what_is_written_counts(log: Log) -> None:
    assert log.idle_after(TIMEOUT_S) < TIMEOUT_S
