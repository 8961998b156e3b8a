"""The log of the audits beside transactions that are open, that are committed while it reads, and aborted."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.kafka import cluster_log
from pipeline.runtime.kafka.cluster_log import ClusterLog, LogReadError
from pipeline.runtime.settings import Settings
from tests.progress import wait_for

TIMEOUT_S = 30.0


@pytest.fixture
def topic(settings: Settings) -> str:
    """A new topic of one partition."""
    name = f"audited-{uuid.uuid4().hex[:8]}"
    admin = AdminClient(settings.librdkafka())
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(TIMEOUT_S)
    return name


@pytest.fixture
def producer(settings: Settings, topic: str) -> Iterator[Producer]:
    """A producer in a transaction that has written one record, at offset 0."""
    writer = Producer({**settings.librdkafka(), "transactional.id": topic})
    writer.init_transactions(TIMEOUT_S)
    writer.begin_transaction()
    written = []
    writer.produce(topic, b"row", b"key", on_delivery=lambda error, _: written.append(error))
    writer.flush(TIMEOUT_S)
    assert written == [None]
    yield writer


def test_what_is_not_decided_is_waited_for_and_is_not_taken_for_missing(
    settings: Settings, topic: str, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ClusterLog(settings.librdkafka(), "audit-test", 1)
    monkeypatch.setattr(cluster_log, "READ_WITHIN_S", 1.0)
    with pytest.raises(LogReadError, match=f"{topic}.* was not read"):
        log.read(topic, 0, 0, 1)
    monkeypatch.undo()
    # The reader is at the end of what is shown when the rest of it comes.
    later = threading.Timer(1.5, producer.commit_transaction, (TIMEOUT_S,))
    later.start()
    assert [record.value for record in log.read(topic, 0, 0, 1)] == [b"row"]
    later.join()


def test_what_was_aborted_is_no_record_and_nothing_is_waited_for_behind_the_end(
    settings: Settings, topic: str, producer: Producer
) -> None:
    producer.abort_transaction(TIMEOUT_S)
    log = ClusterLog(settings.librdkafka(), "audit-test", 1)
    # The record and the mark of its transaction, which comes a moment after the writer was told.
    wait_for(lambda: log.ends(topic, committed=False) == {0: 2}, "the mark")
    assert log.read(topic, 0, 0, 2) == []
