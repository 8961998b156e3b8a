"""Encodes what a load produces, and reads what it hears of, with the schema ids of a cluster's registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.loadgen.emitter import HEAD_BYTES, Encode, framed
from pipeline.runtime.avro.check import decode_strict
from pipeline.runtime.avro.connection import Connection, client
from schemas import SchemaVersion

Read = Callable[[bytes], Any]
"""Returns the event of a value, None where it is another one."""


class LoadError(RuntimeError):
    """Kafka or the registry cannot be used for the load. The text is for the user."""


def registry_encoder(connection: Connection) -> Encode:
    """Return an encoder with the schema ids of a registry. Raises LoadError where it lacks a schema."""
    # All ids are asked for now, so a registry that goes away later does not stop the load.
    return framed(_ids(connection, schemas.load()).__getitem__)


def registry_reader(connection: Connection, record: str) -> Read:
    """Return what reads values of one record, any version; of others None. Raises LoadError."""
    return reader_of(_ids(connection, schemas.versions(record)), record)


def reader_of(ids: Mapping[SchemaVersion, int], record: str) -> Read:
    """Return what reads values of one record, given the schema ids of its versions."""
    texts = {number.to_bytes(4, "big"): schema.text for schema, number in ids.items()}
    newest, kind = schemas.versions(record)[-1].text, EVENTS[record]

    def read(value: bytes) -> Any:
        text = texts.get(value[1:HEAD_BYTES])
        if text is None:
            return None
        return msgspec.convert(decode_strict(value[HEAD_BYTES:], text, newest), kind)

    return read


def _ids(connection: Connection, wanted: Iterable[SchemaVersion]) -> dict[SchemaVersion, int]:
    registry = client(connection)

    def id_of(schema: SchemaVersion) -> int:
        try:
            answer = registry.lookup_schema(schema.subject, Schema(schema.text, "AVRO"))
        except SchemaRegistryError as error:
            raise LoadError(f"{schema.subject} version {schema.version}: {error.error_message}") from error
        except Exception as error:  # the client lets its HTTP library's errors through
            raise LoadError(f"the schema registry does not answer: {error}") from error
        assert answer.schema_id is not None
        return int(answer.schema_id)

    return {schema: id_of(schema) for schema in wanted}
