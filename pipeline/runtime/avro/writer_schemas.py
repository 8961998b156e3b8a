"""What values on the wire were written with, and the files that remember it: one JSON file per schema id."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

import schemas
from schemas import SchemaVersion
from schemas.compatibility import field_types, reading_problems, type_changes

LOG = logging.getLogger(__name__)


class WriterSchema(NamedTuple):
    """What a schema id stands for: always an event of the catalogue."""

    record_name: str
    text: str
    """The schema that the values were written with, as compact JSON."""
    known: SchemaVersion | None
    """The catalogue's version that writes the same bytes. None for a version that only the registry has, such
    as an upstream's next one: Avro resolves it to our newest, and upcasters compute what it lacks."""


def recognise(text: str) -> WriterSchema | None:
    """Return what a registry's schema (JSON) stands for; None where it is no readable event of ours."""
    try:
        schema = json.loads(text)
        parsed: Any = fastavro.parse_schema(schema)
        record_name = str(parsed["name"])
        compact = json.dumps(schema, separators=(",", ":"))
        family = schemas.versions(record_name)
        form = _form(compact)
        known = next((version for version in family if _form(version.text) == form), None)
        newest = family[-1].text
        if known is None and (reading_problems(newest, compact) or type_changes(newest, compact)):
            LOG.warning("a schema of %s cannot be read as its newest version", record_name)
            return None
    except Exception as error:  # whatever an unknown schema makes the parsers raise, it is not readable
        LOG.warning("not the schema of an event: %s", type(error).__name__)
        return None
    return WriterSchema(record_name, compact, known)


@cache
def _form(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what decides how values are read: Avro's canonical form, and the logical types it drops."""
    schema = json.loads(text)
    canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(schema))
    return canonical, tuple(field_types(schema).items())


class SchemaFiles:
    """The files of one registry's schemas. A file that cannot be read or written costs only a question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> dict[int, str]:
        """Return id -> schema (JSON) of every intact file."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                entry = json.loads(path.read_text("utf-8"))
                found[int(path.stem)] = str(entry["schema"])
            except (OSError, ValueError, KeyError, TypeError):
                LOG.warning("ignoring the damaged schema file %s", path.name)
        return found

    def save(self, schema_id: int, text: str) -> None:
        """Write one file, whole or not at all."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".new", delete=False) as file:
                json.dump({"id": schema_id, "schema": text}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self._folder / f"{schema_id}.json")
        except OSError as error:
            LOG.warning("schema %d is not kept on disk: %s", schema_id, error)

    def clear(self) -> None:
        """Remove every file."""
        for path in self._folder.glob("*.json"):
            path.unlink(missing_ok=True)
