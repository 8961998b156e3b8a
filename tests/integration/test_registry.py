"""The catalogue in the real schema registry: ids that stay, the rule that holds, schemas that only it has."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec, Dead
from pipeline.runtime.avro.connection import client
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.local.stack import LocalStack
from tests.streams.stream_bench import framed

CLOSED = schemas.newest("ledgerflow.AccountClosed")
SETTLED = schemas.newest("ledgerflow.TradeSettled")
NOWHERE = "http://127.0.0.1:9/none"
NEVER_GIVEN_OUT = 2**31 - 1

Fields = dict[str, dict[str, Any]]


def edited(schema: schemas.SchemaVersion, change: Callable[[Fields], object]) -> str:
    """Return a schema after a change of its fields, which come by name."""
    record = json.loads(schema.text)
    fields = {field["name"]: field for field in record["fields"]}
    change(fields)
    return json.dumps({**record, "fields": list(fields.values())})


@pytest.fixture(scope="module")
def url(stack: LocalStack) -> str:
    """Return the registry's address, with the catalogue in it."""
    register_all(stack.schema_registry_url)
    return stack.schema_registry_url


def versions(url: str) -> dict[str, list[int]]:
    """Return the versions of every subject of the catalogue."""
    with client(url) as registry:
        return {schema.subject: registry.get_versions(schema.subject) for schema in schemas.load()}


def test_registering_again_gives_the_same_ids_and_no_new_version(url: str) -> None:
    first = register_all(url)
    before = versions(url)
    assert register_all(url) == first
    assert versions(url) == before
    assert set(first) == {schema.subject for schema in schemas.load()}
    assert len({schema_id for schema_id, _ in first.values()}) == len(first)


def test_every_subject_is_held_to_full_transitive_compatibility(url: str) -> None:
    subjects = {schema.subject for schema in schemas.load()}
    with client(url) as registry:
        levels = {subject: registry.get_compatibility(subject) for subject in subjects}
    assert levels == dict.fromkeys(subjects, "FULL_TRANSITIVE")


@pytest.mark.parametrize(
    ("schema", "change"),
    [
        pytest.param(SETTLED, lambda fields: fields.pop("trade_id"), id="a field is gone"),
        pytest.param(
            SETTLED, lambda fields: fields["trade_id"].update(type="long"), id="a type is another one"
        ),
        pytest.param(
            SETTLED,
            lambda fields: fields.update(new={"name": "new", "type": "string"}),
            id="a new field has no default",
        ),
        pytest.param(
            CLOSED,
            lambda fields: fields["reason"]["type"]["symbols"].remove("fraud"),
            id="a symbol is gone",
        ),
        # The newest version has the field, so only a rule that looks at all versions refuses this.
        pytest.param(
            CLOSED,
            lambda fields: fields["regulatory_notification_sent"].pop("default"),
            id="the first version cannot be read any more",
        ),
    ],
)
def test_an_incompatible_version_is_refused(
    schema: schemas.SchemaVersion, change: Callable[[Fields], object], url: str
) -> None:
    before = versions(url)
    with client(url) as registry:
        with pytest.raises(SchemaRegistryError) as refused:
            registry.register_schema(schema.subject, Schema(edited(schema, change), "AVRO"))
        assert refused.value.http_status_code == 409
    assert versions(url) == before


def test_an_unknown_id_in_a_record_is_fetched_once_and_then_known_without_the_registry(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = edited(
        SETTLED,
        lambda fields: fields.update(venue={"name": "venue", "type": ["null", "string"], "default": None}),
    )
    with client(url) as upstream:
        schema_id = upstream.register_schema(SETTLED.subject, Schema(text, "AVRO"))
    events = [ev.TradeSettled(f"e{number}", "acme", 1, "c", None, "t", "A", number) for number in range(50)]
    values = [framed(schema_id, text, msgspec.to_builtins(event)) for event in events]
    caplog.set_level(logging.INFO)  # the client's HTTP library logs every request

    codec = Codec(Registry(url, tmp_path))
    for start in range(0, 50, 10):
        assert codec.decode(values[start : start + 10]) == (events[start : start + 10], {})
    (request,) = [message for message in caplog.messages if "GET" in message]
    assert f"{url}/schemas/ids/{schema_id}" in request

    offline = Codec(Registry(NOWHERE, tmp_path))
    assert offline.decode(values) == (events, {})


def test_an_id_that_was_never_given_out_is_a_dead_letter(url: str, tmp_path: Path) -> None:
    codec = Codec(Registry(url, tmp_path))
    good = ev.TradeSettled("e", "acme", 1, "c", None, "t", "A", 1)
    unknown = b"\0" + NEVER_GIVEN_OUT.to_bytes(4, "big") + b"x"
    found = codec.decode([unknown, codec.encode([good])[0]])
    assert found == ([None, good], {0: Dead("unknown_schema_id", str(NEVER_GIVEN_OUT))})
