"""A record of a topic, decoded: what every model reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Record(NamedTuple):
    """A record; `event` is the Avro name without the namespace, None where the value is no event."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Kafka's time."""
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    event: str | None
    fields: dict[str, Any]
    """Times are int microseconds, dates int days."""
    fault: str | None
    """Why the value is no event: the code of its dead letter."""
    foreign: bool = False
    """Whether its schema is a version that is not of the catalogue: the streams may be set to refuse it."""
