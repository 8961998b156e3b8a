"""A short topic is read to its end, or it is an error: what is left of it would look like nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.runtime.kafka import short_topics
from pipeline.runtime.kafka.messages import End, Message, Place
from pipeline.runtime.kafka.short_topics import rows_of

FIRST, SECOND = Place("short", 0), Place("short", 1)


def record(place: Any, key: bytes, value: bytes) -> Message:
    return Message(place, SimpleNamespace(key=key, value=value))


class Consumer:
    """Gives what it was made with, and then nothing, second after second."""

    skipped: tuple[Any, ...] = ()

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *given: Any) -> None:
        self.given, self.now, self.closed = list(given), 0.0, False
        monkeypatch.setattr(short_topics, "BoundedConsumer", lambda _: self)
        monkeypatch.setattr(short_topics, "time", SimpleNamespace(monotonic=lambda: self.now))

    def assign(self, places: list[Any]) -> None:
        assert [(place.partition, place.offset) for place in places] == [(0, 3), (1, 0)]

    def consume(self, count: int, timeout: float) -> list[Any]:
        self.now += 1.0
        return [self.given.pop(0)] if self.given else []

    def close(self) -> None:
        self.closed = True


def read() -> Any:
    starts = {("short", 0): 3, ("short", 1): 0}
    return rows_of({}, "group", starts, 30.0, committed=True)


def test_the_last_value_of_each_key_is_read_to_the_end_of_all_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = record(FIRST, b"a", b"1"), End(FIRST, 4), record(FIRST, b"a", b"2"), record(SECOND, b"a", b"3")
    consumer = Consumer(monkeypatch, *given, End(SECOND, 1))
    assert read().latest == {(0, b"a"): b"2", (1, b"a"): b"3"} and consumer.closed


def test_an_end_that_does_not_come_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer(monkeypatch, record(FIRST, b"a", b"1"), End(FIRST, 4))
    with pytest.raises(KafkaException) as caught:
        read()
    assert caught.value.args[0].code() == KafkaError._TIMED_OUT and consumer.closed


def test_offsets_that_are_gone_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer(monkeypatch, End(FIRST, 3, KafkaError._AUTO_OFFSET_RESET))
    with pytest.raises(KafkaException):
        read()
    assert consumer.closed
