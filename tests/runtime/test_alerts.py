"""Alerts: each once, also where Kafka does not acknowledge one, or only seems not to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaException

from pipeline.runtime import alerts as module
from pipeline.runtime.alerts import Alerts, KafkaTarget


class Topic:
    """A topic whose first acknowledgements are lost, for whoever writes alerts there and reads them again."""

    def __init__(self, lost: int = 0) -> None:
        self.lost = lost
        self.records: list[bytes] = []

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.records.append(value)
        if self.lost:
            self.lost -= 1
            raise KafkaException("no acknowledgement")

    def begins(self, topic: str) -> dict[int, int]:
        return {0: 0}

    def ends(self, topic: str, *, committed: bool) -> dict[int, int]:
        return {0: len(self.records)}

    def read(self, topic: str, partition: int, start: int, stop: int) -> list[Any]:
        return [SimpleNamespace(value=value) for value in self.records[start:stop]]


class Plain:
    """A codec of ids."""

    def encode(self, events: list[Any]) -> list[bytes]:
        return [event.event_id.encode() for event in events]

    def decode(self, values: list[bytes]) -> Any:
        return SimpleNamespace(events=[SimpleNamespace(event_id=value.decode()) for value in values])


def alert(event_id: str) -> Any:
    return SimpleNamespace(event_id=event_id)


def alerts_on(topic: Topic, most: int = 10) -> Alerts:
    log: Any = topic
    codec: Any = Plain()
    return Alerts("alerts", log, codec, topic, most)


def test_an_alert_is_written_once_by_one_process_and_the_next() -> None:
    topic = Topic()
    assert [alerts_on(topic).write(alert("a"), 0, "k") for _ in range(2)] == [True, False]
    assert topic.records == [b"a"]


def test_an_alert_whose_acknowledgement_is_lost_is_not_written_twice() -> None:
    topic = Topic()
    alerts = alerts_on(topic)
    alerts.write(alert("a"), 0, "k")
    topic.lost = 1
    with pytest.raises(KafkaException):
        alerts.write(alert("b"), 0, "k")
    assert not alerts.write(alert("b"), 0, "k")
    assert topic.records == [b"a", b"b"]


def test_what_kafka_did_not_take_is_not_left_to_be_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written again then, and Kafka would take all copies when it is back."""
    monkeypatch.setattr(module, "DELIVERED_WITHIN_S", 0.1)
    settings: Any = SimpleNamespace(librdkafka=lambda: {"bootstrap.servers": "127.0.0.1:9"})
    target = KafkaTarget(settings, "alerts")
    with pytest.raises(KafkaException):
        target.write(0, b"k", b"v")
    assert len(target._producer) == 0


def test_a_record_is_given_up_before_its_writer_gives_up_waiting() -> None:
    assert module.DELIVERED_WITHIN_S + 2 <= module.FLUSH_WITHIN_S  # the client looks once a second
