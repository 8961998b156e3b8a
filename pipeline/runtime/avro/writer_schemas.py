"""What values on the wire were written with, and the files that remember it: one JSON file per schema id."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import schemas
from pipeline.runtime.avro.check import SCHEMAS_KEPT, canonical, plain
from pipeline.runtime.avro.schema_limits import NO_EVENT, UnreadableSchema, read_schema
from schemas import SchemaVersion
from schemas.compatibility import field_types, reading_problems, type_changes

LOG = logging.getLogger(__name__)

FIELDS_NAMED_MAX = 20
PATH_CHARS_MAX = 200
"""In a message or an alert."""
_PART = re.compile(r"[.\[|]")
_NO_PATH = re.compile(r"[^A-Za-z0-9_.\[\]| -]")
"""What a logical type's name may have, and a path of fields has not."""


class WriterSchema(NamedTuple):
    """What a schema id stands for: always an event of the catalogue."""

    record_name: str
    text: str
    """The schema that the values were written with, as compact JSON, complete."""
    known: SchemaVersion | None
    """The catalogue's version that writes the same bytes. None for a version that only the registry has, such
    as an upstream's next one: Avro resolves it to our newest, and upcasters compute what it lacks."""
    unknown_fields: tuple[str, ...] = ()
    """Paths of its fields that no version of the catalogue has: what they say is dropped."""

    @property
    def difference(self) -> str:
        """In words, what a version that is not ours has; on one line, with names only."""
        if not self.unknown_fields:
            return f"a version of {self.record_name} that is not in the catalogue, without new fields"
        more = len(self.unknown_fields) - FIELDS_NAMED_MAX
        named = ", ".join(self.unknown_fields[:FIELDS_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
        return f"a version of {self.record_name} that is not in the catalogue, with the fields {named}"


class Unreadable(NamedTuple):
    """Why values of a schema id are no events."""

    code: str
    """Of their dead letters."""
    detail: str
    """In words, on one line, with names only."""
    of_ours: bool = False
    """Whether it has the name of an event of the catalogue."""


def recognise(text: str) -> WriterSchema | None:
    """Return what a registry's schema (JSON) stands for; None where it is no readable event of ours."""
    found = examine(text)
    return found if isinstance(found, WriterSchema) else None


def examine(text: str) -> WriterSchema | Unreadable:
    """Return what a registry's schema (JSON, complete) stands for, or why it is no event that can be read.

    Whatever the text is, it takes milliseconds. Never raises.
    """
    try:
        schema = read_schema(text)
        if not isinstance(schema, dict) or schema.get("type") != "record":
            return Unreadable(NO_EVENT, "the schema is no record")
        return _examined(schema)
    except UnreadableSchema as error:
        return Unreadable(error.code, str(error))
    except Exception as error:  # whatever an unknown schema makes the parsers raise, it is not readable
        return Unreadable(NO_EVENT, f"not the schema of an event: {type(error).__name__}")


def judged(text: str) -> tuple[str | None, bool]:
    """Return the code of the dead letters of a schema's values, None where they are read; and whether it is a
    version of an event that is not of the catalogue."""
    found = examine(text)
    return (found.code, False) if isinstance(found, Unreadable) else (None, found.known is None)


def _examined(schema: dict[str, Any]) -> WriterSchema | Unreadable:
    compact = json.dumps(schema, separators=(",", ":"))
    form = _form(compact)
    record_name = str(json.loads(form[0])["name"])
    if record_name not in schemas.record_names():
        return Unreadable(NO_EVENT, f"{record_name} is no event here")
    family = schemas.versions(record_name)
    known = next((version for version in family if _form(version.text) == form), None)
    if known is not None:
        return WriterSchema(record_name, compact, known)
    newest = family[-1].text
    if type_changes(newest, compact) or reading_problems(newest, json.dumps(plain(schema))):
        detail = f"a version of {record_name} that cannot be read as its newest"
        return Unreadable(NO_EVENT, detail, of_ours=True)
    return WriterSchema(record_name, compact, None, _unknown_fields(schema, family))


def _unknown_fields(schema: dict[str, Any], family: Iterable[SchemaVersion]) -> tuple[str, ...]:
    """Return the paths of fields that no version has, without what is within them."""
    ours = {path for version in family for path in field_types(json.loads(version.text))}
    found: dict[str, None] = {}
    for path in field_types(schema):
        within = any(path[: mark.start()] in found for mark in _PART.finditer(path))
        if path not in ours and not within:
            found[path] = None
    return tuple(_NO_PATH.sub("?", path)[:PATH_CHARS_MAX] for path in found)


@lru_cache(SCHEMAS_KEPT)
def _form(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what decides how values are read: Avro's canonical form, and the logical types it drops."""
    return canonical(text), tuple(field_types(json.loads(text)).items())


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
