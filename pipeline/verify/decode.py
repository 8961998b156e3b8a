"""Values to events, by schema id, strictly: every byte of a value must belong to it.

Independent of the streams' codec on purpose: no columns, no upcasters. A value is read with the writer's
schema alone. Whether bytes and schemas are well formed is decided by the one reader of the product
(`runtime.avro.check`), because hostile ones end a process that reads them in any other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.runtime.avro.check import Malformed, decode_strict, parsed
from pipeline.runtime.avro.connection import Connection, client
from pipeline.runtime.avro.references import lookup
from pipeline.runtime.avro.schema_limits import NO_EVENT, UnreadableSchema
from pipeline.verify.log_error import LogError

NAMESPACE = "ledgerflow."
MAGIC = 0
HEAD_BYTES = 5
SCHEMAS_KEPT = 10_000
"""More ids than that are asked for again: anyone may write any id."""


class Event(NamedTuple):
    """A decoded value. Times are int microseconds, dates int days."""

    name: str
    """The record's name without its namespace; an outcome's has a dot: `outcomes.PaymentCancelled`."""
    fields: dict[str, Any]


SchemaOf = Callable[[int], str | None]
"""From a schema id to the schema as JSON, complete; None where the registry does not know the id.

May raise UnreadableSchema, and errors of its own without an answer."""

Judge = Callable[[str], tuple[str | None, bool]]
"""From a schema (JSON) to the code of the dead letters of its values, None where they are read; and whether
it is a version that is not of the catalogue, whose values the streams may be set to refuse."""


class Schema(NamedTuple):
    """What a schema id stands for."""

    name: str
    """Without our namespace; empty where it is not read."""
    text: str
    ours: bool
    code: str | None
    """Why its values are no events of the streams: the code of their dead letters."""
    foreign: bool = False
    """Whether it is a version of an event that is not of the catalogue."""


class Decoder:
    """Decodes values; asks for each schema id once."""

    def __init__(self, schema_of: SchemaOf, judge: Judge | None = None) -> None:
        """`judge`: judges schemas of our namespace; by default all of them are of the catalogue."""
        self._schema_of = schema_of
        self._judge = judge
        self._known: dict[bytes, Schema] = {}

    def decode(self, value: bytes | None) -> Event | None:
        """Return the event, or None where the value is not exactly one of a registered schema."""
        name, fields, _ = self.read(value, ours=False)
        return None if name is None else Event(name, fields)

    def read(self, value: bytes | None, ours: bool = True) -> tuple[str | None, dict[str, Any], str | None]:
        """Return the event's name and fields, or the reason code of a value that is no event.

        `ours`: only if its schema is one of our namespace that the streams read.
        """
        if value is None or len(value) < HEAD_BYTES:
            return None, {}, "no_header" if value else "no_value"
        if value[0] != MAGIC:
            return None, {}, "wrong_magic_byte"
        schema = self.schema(value[1:HEAD_BYTES])
        if not schema.name or (ours and schema.code is not None):
            return None, {}, schema.code
        try:
            return schema.name, decode_strict(value[HEAD_BYTES:], schema.text, schema.text), None
        except Malformed:
            return None, {}, "malformed_value"

    def is_foreign(self, value: bytes | None) -> bool:
        """Whether a value claims to be of a version that is not of the catalogue."""
        return value is not None and value[:1] == b"\0" and self.schema(value[1:HEAD_BYTES]).foreign

    def name_of(self, value: bytes | None) -> str | None:
        """Return the name of the event that a value claims to be, None where it claims nothing."""
        if value is None or len(value) < HEAD_BYTES or value[0] != MAGIC:
            return None
        return self.schema(value[1:HEAD_BYTES]).name or None

    def schema(self, head: bytes) -> Schema:
        """Return the schema of an id (four bytes)."""
        known = self._known.get(head)
        if known is None:
            if len(self._known) == SCHEMAS_KEPT:
                self._known.clear()
            known = self._known[head] = self._load(head)
        return known

    def _load(self, head: bytes) -> Schema:
        try:
            text = self._schema_of(int.from_bytes(head, "big"))
            schema = None if text is None else parsed(text)
        except UnreadableSchema as error:
            return Schema("", "", False, error.code)
        if text is None or not isinstance(schema, dict) or schema.get("type") != "record":
            return Schema("", "", False, NO_EVENT)
        name = str(schema["name"])
        ours = name.startswith(NAMESPACE)
        code, foreign = (None, False) if ours else (NO_EVENT, False)
        if ours and self._judge is not None:
            code, foreign = self._judge(text)
        return Schema(name.removeprefix(NAMESPACE), text, ours, code, foreign)


def registry_schemas(connection: Connection) -> SchemaOf:
    """Return a lookup in a schema registry (Confluent's API); it raises LogError without an answer."""
    return lookup(client(connection), lambda error: LogError(f"schema registry: {error}"))
