"""Whether the streams are at rest, on real Kafka: by what order of events a judgement could be wrong."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.kafka.rest import RestWatch, wait_for_rest
from pipeline.runtime.settings import Settings
from tests.progress import SILENCE_S, wait_for


class Streams:
    """A log that a stream reads, what it writes, and its group; all of it is done by hand here."""

    def __init__(self, settings: Settings) -> None:
        name = f"rest-{uuid.uuid4().hex[:8]}"
        self.log, self.output, self.group = f"{name}-log", f"{name}-output", name
        self.connection = settings.librdkafka()
        admin = AdminClient(self.connection)
        for made in admin.create_topics([NewTopic(one, 1, 1) for one in (self.log, self.output)]).values():
            made.result(SILENCE_S)
        self.producer = Producer({**self.connection, "transactional.id": name})
        self.producer.init_transactions(SILENCE_S)
        self.asking = Consumer({**self.connection, "group.id": f"{name}-asking"})
        places = [(self.log, 0), (self.output, 0)]
        self.watch = RestWatch(self.connection, self.group, places, read=(self.log, self.output))

    def write(self, topic: str) -> None:
        """Write a record and the mark of its transaction; return once both are there.

        Kafka acknowledges a commit before it has written the mark, so the log may grow a moment later.
        """
        end = self.end(topic)
        self.producer.begin_transaction()
        self.producer.produce(topic, b"record")
        self.producer.commit_transaction(SILENCE_S)
        wait_for(lambda: self.end(topic) == end + 2, "the mark of a transaction", lambda: self.end(topic))

    def end(self, topic: str) -> int:
        """Return the offset behind the last record or mark."""
        return int(self.asking.get_watermark_offsets(TopicPartition(topic, 0), timeout=SILENCE_S)[1])

    def read(self, topic: str, end: int) -> None:
        """Commit that the streams have read a topic up to an offset."""
        member = Consumer({**self.connection, "group.id": self.group, "enable.auto.commit": False})
        member.commit(offsets=[TopicPartition(topic, 0, end)], asynchronous=False)
        member.close()


@pytest.fixture
def streams(settings: Settings) -> Iterator[Streams]:
    """A log with two records, each with a mark behind it, of which nothing is read."""
    made = Streams(settings)
    made.write(made.log)
    made.write(made.log)
    yield made
    made.watch.close()
    made.asking.close()


def test_streams_that_have_read_every_record_are_at_rest_although_marks_are_left(streams: Streams) -> None:
    streams.read(streams.log, 3)  # record, mark, record | mark
    assert streams.watch.look() is None
    assert wait_for_rest(streams.watch, 0.2, SILENCE_S) is None


def test_streams_that_have_a_single_record_left_are_not_at_rest(streams: Streams) -> None:
    streams.read(streams.log, 1)
    expected = f"the streams are 3 records behind on {streams.log}[0]"
    assert streams.watch.look() == expected
    assert wait_for_rest(streams.watch, 0.2, 1.0) == expected


def test_where_no_streams_have_ever_run_only_what_is_written_counts(streams: Streams) -> None:
    assert streams.watch.look() is None


def test_streams_that_run_and_have_committed_nothing_yet_are_not_at_rest(streams: Streams) -> None:
    member = Consumer({**streams.connection, "group.id": streams.group, "enable.auto.commit": False})
    member.subscribe([streams.log])
    wait_for(lambda: member.poll(0.1) or member.assignment(), "a member of the group")
    assert streams.watch.look() == f"the streams are 4 records behind on {streams.log}[0]"
    member.close()


def test_an_output_that_comes_while_one_looks_is_not_overlooked(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow stream commits between the look at the ends and the look at its offsets: both seem to agree."""
    behind = streams.watch._behind

    def after_a_commit(ends: Any) -> str | None:
        monkeypatch.undo()
        streams.write(streams.output)
        streams.read(streams.log, 4)
        return behind(ends)

    monkeypatch.setattr(streams.watch, "_behind", after_a_commit)
    assert streams.watch.look() == "the topics are still growing"
    assert streams.watch.look() == f"the streams are 2 records behind on {streams.output}[0]"
    streams.read(streams.output, 2)
    assert streams.watch.look() is None


def test_records_whose_transaction_is_not_decided_are_under_way(streams: Streams) -> None:
    """The group's offsets may be visible before the records that were committed with them."""
    streams.producer.begin_transaction()
    streams.producer.produce(streams.output, b"record")
    assert streams.producer.flush(SILENCE_S) == 0
    streams.read(streams.log, 4)
    assert streams.watch.look() == f"a transaction is open on {streams.output}[0]"
    streams.producer.abort_transaction(SILENCE_S)
    wait_for(lambda: streams.watch.look() is None, "rest: an aborted record is for nobody")
