"""Encodes what a load produces with the schema ids of a cluster's registry."""

from __future__ import annotations

from confluent_kafka.schema_registry import Schema
from confluent_kafka.schema_registry.error import SchemaRegistryError

import schemas
from pipeline.loadgen.emitter import Encode, framed
from pipeline.runtime.avro.connection import Connection, client
from schemas import SchemaVersion


class LoadError(RuntimeError):
    """Kafka or the registry cannot be used for the load. The text is for the user."""


def registry_encoder(connection: Connection) -> Encode:
    """Return an encoder with the schema ids of a registry. Raises LoadError where it lacks a schema."""
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

    # All ids are asked for now, so a registry that goes away later does not stop the load.
    ids = {schema: id_of(schema) for schema in schemas.load()}
    return framed(ids.__getitem__)
