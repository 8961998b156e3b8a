"""Clients of a schema registry (Confluent-compatible API), with bounded requests: made here only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient

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
