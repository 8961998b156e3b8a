"""The catalogue of event schemas: `schemas/<topic>/<event_name>/v<N>.avsc`, read as package data.

A merged version is never edited: a change is a new `v<N+1>.avsc` and an upcaster in `schemas.upcasters`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class SchemaVersion(NamedTuple):
    """One version of one event's schema."""

    topic: str
    """The topic its upstream (or stream) writes it to."""
    event: str
    """The folder's name, snake_case; not unique: two topics may have an event of the same name."""
    version: int
    """1, 2, 3, ... without a gap."""
    record_name: str
    """The full Avro name, such as `ledgerflow.PaymentInitiated`; unique to one event."""
    subject: str
    """The registry's subject (TopicRecordName): `<topic>-<record_name>`."""
    text: str
    """The schema as compact JSON."""
    path: str
    """Relative to the `schemas` folder."""


@cache
def load() -> tuple[SchemaVersion, ...]:
    """Return every schema version, ordered by topic, event and version (read once per process).

    Raises ValueError for a file with an unexpected name, a gap in the versions, or a record name that two
    events share.
    """
    found = []
    for topic in files(__name__).iterdir():
        if not topic.is_dir() or topic.name.startswith(("_", ".")):
            continue
        for event in topic.iterdir():
            if not event.is_dir():
                continue  # the topic's own declaration: see `schemas.topics`
            for file in event.iterdir():
                named = re.fullmatch(r"v([1-9]\d*)\.avsc", file.name)
                if named is None:
                    raise ValueError(f"{topic.name}/{event.name}/{file.name}: expected v<N>.avsc")
                schema = json.loads(file.read_text("utf-8"))
                record_name = f"{schema['namespace']}.{schema['name']}"
                found.append(
                    SchemaVersion(
                        topic=topic.name,
                        event=event.name,
                        version=int(named[1]),
                        record_name=record_name,
                        subject=f"{topic.name}-{record_name}",
                        text=json.dumps(schema, separators=(",", ":")),
                        path=f"{topic.name}/{event.name}/{file.name}",
                    )
                )
    found.sort(key=lambda schema: (schema.topic, schema.event, schema.version))
    _check_order(found)
    return tuple(found)


def _check_order(found: list[SchemaVersion]) -> None:
    """Raise `ValueError` unless versions count 1, 2, 3, ... and a record name belongs to one event."""
    seen: dict[str, SchemaVersion] = {}
    for schema in found:
        before = seen.get(schema.record_name)
        expected = before.version + 1 if before else 1
        same_event = before is None or (before.topic, before.event) == (schema.topic, schema.event)
        if not same_event or schema.version != expected:
            raise ValueError(f"{schema.path}: expected version {expected} of {schema.record_name} alone")
        seen[schema.record_name] = schema


@cache
def _by_record_name() -> dict[str, tuple[SchemaVersion, ...]]:
    grouped: dict[str, tuple[SchemaVersion, ...]] = {}
    for schema in load():
        grouped[schema.record_name] = (*grouped.get(schema.record_name, ()), schema)
    return grouped


def record_names() -> tuple[str, ...]:
    """Return the full Avro name of every event, in the catalogue's order."""
    return tuple(_by_record_name())


def versions(record_name: str) -> tuple[SchemaVersion, ...]:
    """Return the versions of an event, oldest first. Raises `KeyError` for an unknown record name."""
    return _by_record_name()[record_name]


def newest(record_name: str) -> SchemaVersion:
    """Return the newest version of an event. Raises `KeyError` for an unknown record name."""
    return versions(record_name)[-1]
