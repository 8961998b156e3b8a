"""Values to events, by schema id, strictly: every byte of a value must belong to it.

Independent of the streams' codec on purpose: a value is read with fastavro and the writer's schema alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from pipeline.verify.log import LogError

MAGIC = 0
HEAD_BYTES = 5
NOT_FOUND = 404


class Event(NamedTuple):
    """A decoded value. Times are int microseconds, dates int days."""

    name: str
    """The record's name without its namespace; an outcome's has a dot: `outcomes.PaymentCancelled`."""
    fields: dict[str, Any]


SchemaOf = Callable[[int], str | None]
"""From a schema id to the schema as JSON; None where the registry does not know the id."""


class Decoder:
    """Decodes values; asks for each schema id once."""

    def __init__(self, schema_of: SchemaOf) -> None:
        self._schema_of = schema_of
        self._known: dict[bytes, tuple[str, Any] | None] = {}

    def decode(self, value: bytes | None) -> Event | None:
        """Return the event, or None where the value is not exactly one of a registered schema."""
        if value is None or len(value) < HEAD_BYTES or value[0] != MAGIC:
            return None
        head = value[1:HEAD_BYTES]
        if head not in self._known:
            self._known[head] = self._load(head)
        known = self._known[head]
        if known is None:
            return None
        body = io.BytesIO(value)
        body.seek(HEAD_BYTES)
        try:
            fields = fastavro.schemaless_reader(body, known[1], None)
        except Exception:  # whatever fastavro raises, the bytes are no event
            return None
        if body.tell() != len(value):
            return None
        return Event(known[0], fields)

    def _load(self, head: bytes) -> tuple[str, Any] | None:
        text = self._schema_of(int.from_bytes(head, "big"))
        if text is None:
            return None
        schema = _without_logical_types(json.loads(text))
        if not isinstance(schema, dict) or schema.get("type") != "record":
            return None
        name = f"{schema.get('namespace', '')}.{schema['name']}".removeprefix("ledgerflow.")
        return name, fastavro.parse_schema(schema)


def _without_logical_types(schema: Any) -> Any:
    """Return the schema with plain longs and ints: no datetimes to build, none out of range."""
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {name: _without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return schema


def registry_schemas(url: str) -> SchemaOf:
    """Return a lookup in a schema registry (Confluent's API); it raises LogError without an answer."""
    client = SchemaRegistryClient({"url": url})

    def schema_of(schema_id: int) -> str | None:
        try:
            text: str | None = client.get_schema(schema_id).schema_str
            return text
        except SchemaRegistryError as error:
            if error.http_status_code == NOT_FOUND:
                return None
            raise LogError(f"schema registry: {error}") from error
        except Exception as error:  # the client lets its HTTP library's errors through
            raise LogError(f"schema registry: {error}") from error

    return schema_of
