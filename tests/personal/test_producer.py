"""The producer of upstreams: encrypted, or not sent."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.events import PaymentInitiated
from pipeline.personal.errors import KeysUnavailable, PersonalDataError
from pipeline.personal.keystore import KeyStore
from pipeline.personal.producer import PersonalProducer
from pipeline.personal.protecting import PersonalData
from tests.personal.stores import store_in
from tests.personal.test_protecting import PAYMENT, payment

MARKS = {"north": ["payment_initiated.reference"]}
EVENT = PaymentInitiated.from_avro(payment())


class Sender:
    """Keeps what is sent."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.sent: list[tuple[str, bytes, bytes]] = []

    def produce(self, topic: str, *, key: bytes, value: bytes, on_delivery: Any) -> None:
        self.sent.append((topic, key, value))

    def flush(self, timeout: float) -> int:
        return len(self.sent)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    with store_in(tmp_path) as opened:
        yield opened


@pytest.fixture
def sender() -> Sender:
    return Sender({})


@pytest.fixture
def producer(store: KeyStore, sender: Sender) -> PersonalProducer:
    registry = SchemaRegistryClient.new_client({"url": "mock://personal"})
    subject = f"{PaymentInitiated.TOPIC}-{PaymentInitiated.RECORD_NAME}"
    registry.register_schema(subject, Schema(PaymentInitiated.schema_text(), "AVRO"))

    def kept(settings: dict[str, Any]) -> Sender:
        sender.settings = settings
        return sender

    return PersonalProducer({"linger.ms": 5}, registry, store, MARKS, kept)


def test_what_is_sent_has_its_marked_texts_encrypted(
    producer: PersonalProducer, sender: Sender, store: KeyStore
) -> None:
    producer.produce(EVENT)
    ((topic, key, value),) = sender.sent
    assert (topic, key) == ("payments", b"north/alice") and b"Anna" not in value
    schema = fastavro.parse_schema(json.loads(EVENT.schema_text()))
    told = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)
    assert protected_text(told["reference"]) is not None
    assert PersonalData(store, MARKS).reveal(PAYMENT, told)["reference"] == EVENT.reference
    assert sender.settings == {"linger.ms": 5, "enable.idempotence": True, "partitioner": "murmur2_random"}
    assert producer.flush(1) == 1


def test_a_marked_text_in_the_clear_is_not_sent(
    producer: PersonalProducer, sender: Sender, store: KeyStore
) -> None:
    told = PersonalData(store, MARKS).protect(PAYMENT, payment())
    for wrong, said in (
        (payment(), "payment_initiated.reference is personal data and not encrypted"),
        ({**told, "remittance_text": "Anna"}, "payment_initiated.remittance_text is personal data"),
        ({**told, "creditor_reference": "RF18539007547034"}, "creditor_reference says what"),
    ):
        with pytest.raises(PersonalDataError, match=said) as raised:
            producer.produce_protected(PaymentInitiated, wrong, b"north/alice")
        assert "Anna" not in str(raised.value)
    assert sender.sent == []
    producer.produce_protected(PaymentInitiated, told, b"north/alice")
    assert len(sender.sent) == 1


def test_without_keys_nothing_is_sent(producer: PersonalProducer, sender: Sender, store: KeyStore) -> None:
    store.close()
    with pytest.raises(KeysUnavailable):
        producer.produce(EVENT)
    assert sender.sent == []
