"""Sends the events of statements: as many as there are, and says how many Kafka has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline.cli.problems import Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_topic
from pipeline.events import StatementLine
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.connection import client, serializer
from pipeline.runtime.avro.registry import answer_of
from pipeline.runtime.settings import Settings

TOPIC = StatementLine.TOPIC
STUCK_AFTER_S = 30.0
"""Without any acknowledgement."""


def send_statements(
    settings: Settings, events: Iterable[InputEvent], told: Callable[[int], None] = lambda _: None
) -> int:
    """Produce events in order; return how many, once Kafka has acknowledged all.

    Raises Failed, with how many it has: the same again has no second effect; BadInput without the topic.
    """
    require_topic(require_kafka(settings), TOPIC)
    with errors_in_one_line(settings), client(settings.registry()) as registry:
        producer = Producer(
            {
                **settings.librdkafka(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "log_level": 0,
            }
        )
        run = _Run(producer, registry)
        for event in events:
            run.produce(event)
            if run.sent % 1_000 == 0:
                told(run.acknowledged)
        run.finish(told)
    return run.acknowledged


class _Run:
    def __init__(self, producer: Any, registry: Any) -> None:
        self.sent = self.acknowledged = 0
        self._producer, self._registry = producer, registry
        self._serializers: dict[str, AvroSerializer] = {}
        self._refused: str | None = None

    def produce(self, event: InputEvent) -> None:
        """Hand one event over; waits where too many are under way. Raises Failed."""
        value = self._framed(event)
        while True:
            try:
                self._producer.produce(event.TOPIC, value, event.key(), on_delivery=self._delivered)
                break
            except BufferError:  # librdkafka's queue is full
                self._wait()
        self.sent += 1
        self._producer.poll(0)
        self._check()

    def finish(self, told: Callable[[int], None]) -> None:
        """Wait until all are acknowledged. Raises Failed."""
        while self.acknowledged < self.sent:
            self._wait()
            told(self.acknowledged)

    def _wait(self) -> None:
        """Wait until Kafka has acknowledged more. Raises Failed."""
        before, deadline = self.acknowledged, time.monotonic() + STUCK_AFTER_S
        while self.acknowledged == before:
            self._producer.poll(0.1)
            self._check()
            if time.monotonic() >= deadline:
                raise self._failed(f"Kafka has acknowledged nothing for {STUCK_AFTER_S:.0f} s")

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._refused = self._refused or str(error.str())

    def _check(self) -> None:
        if self._refused is not None:
            raise self._failed(f"Kafka refuses an event: {self._refused}")

    def _failed(self, what: str) -> Failed:
        return Failed(
            f"{what}; it has {self.acknowledged:,} of the events: import the same files again, what it has"
            " already has no second effect"
        )

    def _framed(self, event: InputEvent) -> bytes:
        name = event.RECORD_NAME
        if name not in self._serializers:
            self._serializers[name] = serializer(self._registry, event.schema_text())
        about = SerializationContext(event.TOPIC, MessageField.VALUE)
        value = answer_of(partial(self._serializers[name], event.to_avro(), about))
        if value is None:
            raise Failed(f"the schema registry lacks {name}: run `ledgerflow schemas register`")
        return bytes(value)
