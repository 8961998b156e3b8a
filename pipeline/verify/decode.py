"""Values to events, by schema id, strictly: every byte of a value must belong to it.

Independent of the streams' codec on purpose: a value is read with fastavro and the writer's schema alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import fastavro
from confluent_kafka.schema_registry.error import SchemaRegistryError

from pipeline.runtime.avro.registry import Connection, client
from pipeline.verify.log_error import LogError

NAMESPACE = "ledgerflow."
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


class Schema(NamedTuple):
    """A writer schema."""

    name: str
    parsed: Any
    ours: bool


class Decoder:
    """Decodes values; asks for each schema id once."""

    def __init__(self, schema_of: SchemaOf) -> None:
        self._schema_of = schema_of
        self._known: dict[bytes, Schema | None] = {}

    def decode(self, value: bytes | None) -> Event | None:
        """Return the event, or None where the value is not exactly one of a registered schema."""
        name, fields, _ = self.read(value, ours=False)
        return None if name is None else Event(name, fields)

    def read(
        self, value: bytes | None, strict: bool = False, ours: bool = True
    ) -> tuple[str | None, dict[str, Any], str | None]:
        """Return the event's name and fields, or the reason code of a value that is no event.

        `strict`: only if encoding it again gives the same bytes; a decoder may be lenient with hostile ones.
        `ours`: only if its schema is of our namespace.
        """
        if value is None or len(value) < HEAD_BYTES:
            return None, {}, "no_header" if value else "no_value"
        if value[0] != MAGIC:
            return None, {}, "wrong_magic_byte"
        schema = self.schema(value[1:HEAD_BYTES])
        if schema is None or (ours and not schema.ours):
            return None, {}, "unknown_schema_id"
        body = io.BytesIO(value)
        body.seek(HEAD_BYTES)
        try:
            fields = fastavro.schemaless_reader(body, schema.parsed, None)
            if body.tell() == len(value) and (not strict or _again(schema, fields) == value[HEAD_BYTES:]):
                return schema.name, fields, None
        except Exception:  # whatever hostile bytes make fastavro raise, they are no event
            pass
        return None, {}, "malformed_value"

    def name_of(self, value: bytes | None) -> str | None:
        """Return the name of the event that a value claims to be, None where it claims nothing."""
        if value is None or len(value) < HEAD_BYTES or value[0] != MAGIC:
            return None
        schema = self.schema(value[1:HEAD_BYTES])
        return None if schema is None else schema.name

    def schema(self, head: bytes) -> Schema | None:
        """Return the schema of an id (four bytes); None where the registry has no such record."""
        if head not in self._known:
            self._known[head] = self._load(head)
        return self._known[head]

    def _load(self, head: bytes) -> Schema | None:
        text = self._schema_of(int.from_bytes(head, "big"))
        schema = None if text is None else without_logical_types(json.loads(text))
        if not isinstance(schema, dict) or schema.get("type") != "record":
            return None
        name = f"{schema.get('namespace', '')}.{schema['name']}"
        parsed = fastavro.parse_schema(schema)
        return Schema(name.removeprefix(NAMESPACE), parsed, name.startswith(NAMESPACE))


def _again(schema: Schema, fields: Any) -> bytes:
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema.parsed, fields)
    return written.getvalue()


def without_logical_types(schema: Any) -> Any:
    """Return the schema with plain longs and ints: no datetimes to build, none out of range."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {name: without_logical_types(part) for name, part in schema.items() if name != "logicalType"}
    return schema


def registry_schemas(connection: Connection) -> SchemaOf:
    """Return a lookup in a schema registry (Confluent's API); it raises LogError without an answer."""
    registry = client(connection)

    def schema_of(schema_id: int) -> str | None:
        try:
            text: str | None = registry.get_schema(schema_id).schema_str
            return text
        except SchemaRegistryError as error:
            if error.http_status_code == NOT_FOUND:
                return None
            raise LogError(f"schema registry: {error}") from error
        except Exception as error:  # the client lets its HTTP library's errors through
            raise LogError(f"schema registry: {error}") from error

    return schema_of
