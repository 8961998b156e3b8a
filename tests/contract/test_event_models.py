"""The generated classes: current, in the schemas' order, and true to the wire."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import fastavro
import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import ValidationError

import pipeline.events as models
import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.input_event import InputEvent
from pipeline.schema_models import INPUT_TOPICS, domain_type, sources
from tests.contract.samples import encoded, parsed, records

MODELS = {model.RECORD_NAME: model for model in InputEvent.__subclasses__()}
NOON = datetime(2026, 1, 2, 12, 0, 0, 123_456, UTC)

PAYMENT: dict[str, Any] = {
    "tenant_id": "acme",
    "occurred_at": NOON,
    "payment_id": "p-1",
    "debtor_account_id": "alice",
    "creditor_account_id": "bob",
    "amount_minor": 1250,
    "currency": "EUR",
    "payment_type": "transfer",
    "reference": "rent",
}


def test_the_generated_files_are_current() -> None:
    for path, source in sources().items():
        assert path.read_text("utf-8") == source, f"{path.name}: run python -m pipeline.schema_models"


def test_the_generated_files_are_as_ruff_formats_them() -> None:
    paths = [str(path) for path in sources()]
    command = [sys.executable, "-m", "ruff", "format", "--check", "--line-length", "110", *paths]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("record_name", schemas.record_names())
def test_a_domain_class_has_the_fields_of_the_newest_schema_in_its_order(record_name: str) -> None:
    schema = json.loads(schemas.newest(record_name).text)
    fields = msgspec.structs.fields(EVENTS[record_name])
    assert [field.name for field in fields] == [field["name"] for field in schema["fields"]]
    required = [field.required for field in fields]
    assert required == sorted(required, reverse=True), "only what ends the schema may be left out"
    for field, avro in zip(fields, schema["fields"], strict=True):
        if not field.required:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert default == avro["default"]
    assert not EVENTS[record_name].__struct_config__.gc and EVENTS[record_name].__struct_config__.frozen
    annotations = EVENTS[record_name].__annotations__
    assert [annotations[field["name"]] for field in schema["fields"]] == [
        domain_type(field["type"]) for field in schema["fields"]
    ]


@pytest.mark.parametrize("record_name", schemas.record_names())
def test_a_domain_class_takes_what_the_wire_holds(record_name: str) -> None:
    for record in records(schemas.newest(record_name)):
        raw = {name: _wire(value) for name, value in record.items()}
        event = msgspec.convert(raw, EVENTS[record_name], strict=True)
        assert json.loads(msgspec.json.encode(event)) == raw


def _wire(value: Any) -> Any:
    """Return times as the domain has them: microseconds or days since 1970."""
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    return value


def test_every_input_event_has_a_model_and_no_other_event_has() -> None:
    inputs = {version.record_name for version in schemas.load() if version.topic in INPUT_TOPICS}
    assert set(MODELS) == inputs
    for record_name, model in MODELS.items():
        newest = schemas.newest(record_name)
        assert newest.topic == model.TOPIC and model.schema_text() == newest.text
        assert list(model.model_fields) == [field["name"] for field in json.loads(newest.text)["fields"]]


@pytest.mark.parametrize("record_name", MODELS)
def test_a_model_round_trips_through_fastavro(record_name: str) -> None:
    newest = schemas.newest(record_name)
    for record in records(newest):
        value = encoded(newest, record)
        event = MODELS[record_name].from_avro(
            fastavro.schemaless_reader(io.BytesIO(value), parsed(newest), None)
        )
        assert event.to_avro() == record
        assert encoded(newest, event.to_avro()) == value
        assert MODELS[record_name].model_validate_json(event.model_dump_json()) == event


def test_an_old_record_becomes_the_newest_model() -> None:
    old = schemas.versions("ledgerflow.AccountOpened")[0]
    event = models.AccountOpened.from_avro(records(old)[0])
    assert event.regulatory_tier is models.RegulatoryTier.RETAIL
    assert (event.compliance_flags, event.overdraft_limit_minor) == ((), 0)


def test_a_payment_is_its_own_correlation_and_has_a_fresh_id() -> None:
    first, second = models.PaymentInitiated(**PAYMENT), models.PaymentInitiated(**PAYMENT)
    assert first.event_id != second.event_id
    assert first.correlation_id == first.event_id and first.causation_id is None


def test_the_key_is_the_tenant_and_the_account_the_event_belongs_to() -> None:
    assert models.PaymentInitiated(**PAYMENT).key() == b"acme/alice"
    price = models.PriceQuoted(
        tenant_id="acme", occurred_at=NOON, instrument_id="XS-é", price_e8=101, currency="EUR"
    )
    assert price.key() == "acme/XS-é".encode()
    closed = models.AccountClosed(
        tenant_id="acme", occurred_at=NOON, account_id="bob", reason=models.ClosureReason.FRAUD
    )
    assert closed.key() == b"acme/bob"


def test_a_time_of_another_offset_is_the_same_moment_on_the_wire() -> None:
    newest = schemas.newest("ledgerflow.PaymentInitiated")
    ids = {"event_id": "e-1"}
    utc = models.PaymentInitiated(**{**PAYMENT, **ids})
    local = models.PaymentInitiated(
        **{**PAYMENT, **ids, "occurred_at": NOON.astimezone(timezone(timedelta(hours=5)))}
    )
    assert encoded(newest, utc.to_avro()) == encoded(newest, local.to_avro())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tenant_id", ""),
        ("debtor_account_id", ""),
        ("debtor_account_id", "a/b"),
        ("debtor_account_id", "a\0b"),
        ("debtor_account_id", "$clearing:EUR:1"),
        ("payment_id", "p\n/"),
        ("currency", "eur"),
        ("currency", "EURO"),
        ("currency", "EUR\n"),
        ("amount_minor", 2**63),
        ("amount_minor", -(2**63) - 1),
        ("amount_minor", 12.5),
        ("amount_minor", 12.0),
        ("amount_minor", "12"),
        ("amount_minor", True),
        ("occurred_at", datetime(2026, 1, 2)),
        ("occurred_at", 1_767_355_200_000_000),
        ("occurred_at", date(2026, 1, 2)),
        ("payment_type", "loan"),
        ("surprise", 1),
        ("creditor_reference", "RF19539007547034"),
        ("creditor_reference", "RF18 5390 0754 7034"),
        ("creditor_reference", "rf18539007547034"),
        ("creditor_reference", ""),
    ],
)
def test_a_payment_that_could_not_be_processed_is_refused_where_it_is_made(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        models.PaymentInitiated(**{**PAYMENT, name: value})


def test_an_event_does_not_change_once_made() -> None:
    with pytest.raises(ValidationError):
        models.PaymentInitiated(**PAYMENT).amount_minor = 1


def test_unlimited_overdraft_is_said_never_omitted() -> None:
    fields: dict[str, Any] = {"tenant_id": "acme", "occurred_at": NOON, "account_id": "bob"}
    with pytest.raises(ValidationError):
        models.AccountLimitSet(**fields)
    assert (
        models.AccountLimitSet(**fields, overdraft_limit_minor=None).to_avro()["overdraft_limit_minor"]
        is None
    )


def test_a_model_is_produced_through_the_confluent_serializer() -> None:
    registry = SchemaRegistryClient.new_client({"url": "mock://contract"})
    conf = {"subject.name.strategy": topic_record_subject_name_strategy}
    serializer = AvroSerializer(registry, models.PaymentInitiated.schema_text(), conf=conf)
    event = models.PaymentInitiated(**PAYMENT)
    framed = serializer(event.to_avro(), SerializationContext(event.TOPIC, MessageField.VALUE))
    assert framed is not None and framed[0] == 0
    assert framed[5:] == encoded(schemas.newest(event.RECORD_NAME), event.to_avro())
    assert registry.get_subjects() == [schemas.newest(event.RECORD_NAME).subject]
    read = AvroDeserializer(registry)(framed, SerializationContext(event.TOPIC, MessageField.VALUE))
    assert models.PaymentInitiated.from_avro(read) == event
