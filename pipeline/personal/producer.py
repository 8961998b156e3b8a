"""For upstreams in Python: events go to Kafka with their marked texts encrypted, or not at all.

marks = {"north": ["payment_initiated.reference", "statement_line.description"]}
store = KeyStore(path, FileKey(kek_path))
producer = PersonalProducer({"bootstrap.servers": "..."}, registry, store, marks)
producer.produce(PaymentInitiated(tenant_id="north", ...))
producer.flush(30)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from confluent_kafka import Producer
from confluent_kafka.schema_registry import topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline.input_event import InputEvent
from pipeline.personal.keystore import KeyStore
from pipeline.personal.protecting import Event, PersonalData

SETTINGS = {"enable.idempotence": True, "partitioner": "murmur2_random"}
"""Beside what the caller sets: no record twice, none lost, and the partition that the streams expect."""
_AS_REGISTERED: dict[str, Any] = {
    "auto.register.schemas": False,
    "subject.name.strategy": topic_record_subject_name_strategy,
}
Delivered = Callable[[Any, Any], None]


class Sender(Protocol):
    """What is used of a confluent `Producer`."""

    def produce(self, topic: str, *, key: bytes, value: bytes, on_delivery: Delivered | None) -> None:
        """Queue a record."""
        ...

    def flush(self, timeout: float) -> int:
        """Wait for what is queued; return how much still is."""
        ...


class PersonalProducer:
    """A producer of input events that encrypts what their tenants mark."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        registry: Any,
        store: KeyStore,
        marks: Mapping[str, Collection[str]],
        sender: Callable[[dict[str, Any]], Sender] = Producer,
    ) -> None:
        """`settings` of confluent's `Producer`, its `SchemaRegistryClient`, the key store, marks by tenant.

        Raises PersonalDataError for a mark that is none.
        """
        self._personal = PersonalData(store, marks)
        self._registry = registry
        self._sender = sender({**SETTINGS, **settings})
        self._serializers: dict[str, AvroSerializer] = {}

    def produce(self, event: InputEvent, on_delivery: Delivered | None = None) -> None:
        """Encrypt the marked texts of an event and queue it.

        Nothing is queued where that fails. Raises PersonalDataError, KeysUnavailable (the same event may be
        sent again later), and what confluent's producer and serializer raise.
        """
        record = self._personal.protect(event.RECORD_NAME, event.to_avro())
        self.produce_protected(type(event), record, event.key(), on_delivery)

    def produce_protected(
        self, kind: type[InputEvent], record: Event, key: bytes, on_delivery: Delivered | None = None
    ) -> None:
        """Queue an event whose marked texts somebody else has encrypted.

        Raises PersonalDataError where one is in the clear, and what confluent's producer and serializer do.
        """
        self._personal.require_protected(kind.RECORD_NAME, record)
        context = SerializationContext(kind.TOPIC, MessageField.VALUE)
        value = self._serializer(kind)(record, context)
        self._sender.produce(kind.TOPIC, key=key, value=value, on_delivery=on_delivery)

    def flush(self, timeout: float) -> int:
        """Wait up to so many seconds for what is queued; return how many records still are."""
        return self._sender.flush(timeout)

    def _serializer(self, kind: type[InputEvent]) -> AvroSerializer:
        found = self._serializers.get(kind.RECORD_NAME)
        if found is None:
            found = AvroSerializer(self._registry, kind.schema_text(), conf=_AS_REGISTERED)
            self._serializers[kind.RECORD_NAME] = found
        return found
