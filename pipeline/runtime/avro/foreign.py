"""What is in a registry and not in the catalogue: versions of our events that others have registered."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from confluent_kafka.schema_registry import SchemaRegistryClient

import schemas
from pipeline.runtime.avro.connection import Connection, client
from pipeline.runtime.avro.references import complete
from pipeline.runtime.avro.registry import answer_of
from pipeline.runtime.avro.schema_limits import NO_EVENT, UnreadableSchema
from pipeline.runtime.avro.writer_schemas import WriterSchema, examine

VERSIONS_MAX = 10_000
"""Versions that are looked at."""


class ForeignVersion(NamedTuple):
    """A version of a subject that differs from the catalogue."""

    subject: str
    version: int
    schema_id: int
    difference: str

    def __str__(self) -> str:
        return f"{self.subject!a} version {self.version} (id {self.schema_id}): {self.difference}"


class Differences(NamedTuple):
    """What a registry has more than the catalogue."""

    foreign: list[ForeignVersion]
    others: int
    """Subjects that have no event of the catalogue."""


def differences(connection: Connection) -> Differences:
    """Return what a registry has more than the catalogue. Raises RegistryUnavailable."""
    ours = {schema.subject for schema in schemas.load()}
    foreign: list[ForeignVersion] = []
    others, looked_at = 0, 0
    with client(connection) as registry:
        for subject in sorted(answer_of(registry.get_subjects) or ()):
            is_event = subject in ours
            for version in answer_of(partial(registry.get_versions, subject)) or ():
                looked_at += 1
                if looked_at > VERSIONS_MAX:
                    said = f"only {VERSIONS_MAX} versions were looked at"
                    return Differences([*foreign, ForeignVersion(subject, version, 0, said)], others)
                found, about = _look(registry, subject, version)
                is_event |= about
                foreign += found
            others += not is_event
    return Differences(foreign, others)


def _look(registry: SchemaRegistryClient, subject: str, version: int) -> tuple[list[ForeignVersion], bool]:
    """Return how a version differs, if it does; and whether it is one of our events."""
    found = answer_of(partial(registry.get_version, subject, version))
    if found is None:  # it has been deleted since
        return [], False
    place = subject, version, found.schema_id or 0
    try:
        text = answer_of(partial(complete, registry, found.schema))
    except UnreadableSchema as error:
        return [ForeignVersion(*place, f"not read: {error}")], False
    about = examine(text or "")
    if isinstance(about, WriterSchema):
        return [] if about.known else [ForeignVersion(*place, about.difference)], True
    if about.code != NO_EVENT or about.of_ours or subject in {schema.subject for schema in schemas.load()}:
        return [ForeignVersion(*place, f"not read: {about.detail}")], True
    return [], False
