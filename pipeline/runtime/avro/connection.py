"""Clients of a schema registry (Confluent-compatible API), with bounded requests: made here only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer

REQUEST_SECONDS_MAX = 5
"""Bound of one request; with the one retry a call ends in about twice that."""
BOUNDS = {
    "timeout": REQUEST_SECONDS_MAX,
    "max.retries": 1,
    "retries.wait.ms": 100,
    "retries.max.wait.ms": 200,
}

Connection = str | Mapping[str, Any]
"""How a registry is reached: what `Settings.registry()` returns, or the address of one that is open."""


def client(connection: Connection) -> SchemaRegistryClient:
    """Return a client with bounded requests."""
    config = {"url": connection} if isinstance(connection, str) else dict(connection)
    return SchemaRegistryClient({**config, **BOUNDS})


def serializer(registry: SchemaRegistryClient, schema_text: str) -> AvroSerializer:
    """Return what frames records of a schema, under its TopicRecordName subject; it registers nothing."""
    as_registered: dict[str, Any] = {
        "auto.register.schemas": False,
        "subject.name.strategy": topic_record_subject_name_strategy,
    }
    return AvroSerializer(registry, schema_text, conf=as_registered)
