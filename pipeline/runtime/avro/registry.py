"""The schema registry (Confluent-compatible API): registering our schemas, and finding out what an id means.

What an id means never changes, so it is asked for once and kept in a file: while the registry is down, events
of every schema that has been seen before are still decoded and encoded.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

import schemas
from pipeline.runtime.avro.connection import Connection, client
from pipeline.runtime.avro.references import is_not_found, text_of
from pipeline.runtime.avro.schema_limits import UnreadableSchema
from pipeline.runtime.avro.writer_schemas import SchemaFiles, Unreadable, WriterSchema, examine
from schemas import SchemaVersion

LOG = logging.getLogger(__name__)

COMPATIBILITY = "FULL_TRANSITIVE"
UNKNOWN_IDS_MAX = 1_000
UNKNOWN_SECONDS = 1.0
"""How long an id that the registry does not know is not asked for again. Short: it may be given out next."""

UNREADABLE_IDS_MAX = 10_000
FOREIGN_IDS_MAX = 200
"""Schemas of our events that are not of the catalogue; more are asked for again. Anyone may register some."""

Answer = TypeVar("Answer")


class RegistryUnavailable(ConnectionError):
    """The registry gave no answer to rely on: the worker stops, and asks again after a restart."""

    status: int | None = None
    """Of its HTTP answer, where it was a refusal (401, 403)."""


class NotRegistered(LookupError):
    """The registry answers, but lacks one of our schemas: `ledgerflow schemas register` has not run."""


class SchemaRefused(ValueError):
    """The registry refuses one of our schemas: incompatible with what it has, or invalid."""


def register_all(connection: Connection) -> dict[str, tuple[int, int]]:
    """Register the catalogue under FULL_TRANSITIVE; return subject -> (id, version) of each newest schema.

    Doing it again changes nothing. Raises RegistryUnavailable where the registry does not answer,
    SchemaRefused where it refuses a schema.
    """
    registered: dict[str, tuple[int, int]] = {}
    with client(connection) as registry:
        for schema in schemas.load():
            answer = answer_of(partial(_register, registry, schema))
            if answer is None or answer.schema_id is None or answer.version is None:
                raise RegistryUnavailable(f"{schema.subject} was registered, then not found")
            registered[schema.subject] = (answer.schema_id, answer.version)
    return registered


def _register(registry: SchemaRegistryClient, schema: SchemaVersion) -> RegisteredSchema:
    """Register one version; a subject's first one sets the rule before a second one can come."""
    try:
        registry.register_schema(schema.subject, Schema(schema.text, "AVRO"))
        if schema.version == 1:
            registry.set_compatibility(schema.subject, COMPATIBILITY)
        return registry.lookup_schema(schema.subject, Schema(schema.text, "AVRO"))
    except SchemaRegistryError as error:
        if error.http_status_code in (409, 422):
            raise SchemaRefused(f"the registry refuses {schema.path}: {error.error_message}") from error
        raise


def answer_of(ask: Callable[[], Answer]) -> Answer | None:
    """Return the registry's answer, None for "not found". Raises `RegistryUnavailable` for anything else."""
    try:
        return ask()
    except SchemaRegistryError as error:
        if is_not_found(error):
            return None
        raise unavailable(error) from error
    except (SchemaRefused, UnreadableSchema):
        raise
    except Exception as error:  # the client lets its HTTP library's errors through
        raise unavailable(error) from error


def unavailable(error: Exception) -> RegistryUnavailable:
    """Return the error of a request that got no answer to rely on."""
    if not isinstance(error, SchemaRegistryError):
        return RegistryUnavailable(f"{type(error).__name__}: {error}")
    found = RegistryUnavailable(str(error))
    found.status = error.http_status_code
    return found


class Registry:
    """What ids mean and which ids our schemas have: from memory, else from files, else from the registry.

    Thread-safe. `cache_dir` belongs to one registry; workers may share it.
    """

    def __init__(self, connection: Connection, cache_dir: Path) -> None:
        self._client = client(connection)
        self._files = SchemaFiles(cache_dir)
        self._lock = threading.Lock()
        self._writers: dict[int, WriterSchema] = {}
        self._ids: dict[SchemaVersion, int] = {}
        self._foreign: OrderedDict[int, None] = OrderedDict()
        """The ids among them of schemas that are not of the catalogue, oldest first."""
        self._unknown: OrderedDict[int, float] = OrderedDict()
        self._unreadable: OrderedDict[int, Unreadable] = OrderedDict()
        for schema_id, text in self._files.load().items():
            self._keep(schema_id, text)

    def connect(self) -> bool:
        """Ask for the id of every schema of the catalogue; return False where the registry is unavailable.

        Call it once, at start. Where an answer contradicts the files, the registry is another one than they
        came from, and all of them are dropped. Without an answer the files stand.
        """
        with self._lock:
            try:
                found = {schema: self._lookup(schema) for schema in schemas.load()}
            except RegistryUnavailable as error:
                LOG.info("schema registry unavailable, %d ids are known: %s", len(self._writers), error)
                return False
            ids = {schema: schema_id for schema, schema_id in found.items() if schema_id is not None}
            if any(self._contradicts(schema, schema_id) for schema, schema_id in ids.items()):
                LOG.warning(
                    "another schema registry than before: forgetting %d schema ids", len(self._writers)
                )
                self._files.clear()
                self._writers.clear()
                self._foreign.clear()
                self._unreadable.clear()
                self._ids.clear()
            for schema, schema_id in ids.items():
                self._save(schema_id, schema.text)
            return True

    def id_of(self, schema: SchemaVersion) -> int:
        """Return the id to write `schema` with.

        Raises NotRegistered where the registry lacks it, RegistryUnavailable where it does not answer.
        """
        if schema in self._ids:
            return self._ids[schema]
        with self._lock:
            schema_id = self._lookup(schema)
            if schema_id is None:
                raise NotRegistered(
                    f"{schema.subject} version {schema.version} is not in the schema registry"
                )
            self._save(schema_id, schema.text)
            return schema_id

    def schema_of(self, schema_id: int) -> WriterSchema | Unreadable | None:
        """Return what an id stands for, or why its values are no events; None where nobody has given it out.

        Raises RegistryUnavailable where the registry does not answer: the id may be good, so its record must
        not become a dead letter.
        """
        known = self._writers.get(schema_id) or self._unreadable.get(schema_id)
        if known is not None:
            return known
        with self._lock:
            known = self._writers.get(schema_id) or self._unreadable.get(schema_id)
            if known is not None:
                return known
            if time.monotonic() < self._unknown.get(schema_id, 0.0):
                return None
            try:
                text = answer_of(partial(text_of, self._client, schema_id))
            except UnreadableSchema as error:
                return self._refuse(schema_id, Unreadable(error.code, str(error)))
            if text is not None:
                return self._save(schema_id, text)
            self._unknown.pop(schema_id, None)
            self._unknown[schema_id] = time.monotonic() + UNKNOWN_SECONDS
            if len(self._unknown) > UNKNOWN_IDS_MAX:
                self._unknown.popitem(last=False)
            return None

    async def schema_of_async(self, schema_id: int) -> WriterSchema | Unreadable | None:
        """Return and raise as `schema_of`, asking the registry in a thread."""
        known = self._writers.get(schema_id)
        return known or await asyncio.to_thread(self.schema_of, schema_id)

    def close(self) -> None:
        """Close the connections to the registry."""
        self._client.close()

    def _lookup(self, schema: SchemaVersion) -> int | None:
        answer = answer_of(partial(self._client.lookup_schema, schema.subject, Schema(schema.text, "AVRO")))
        return None if answer is None else answer.schema_id

    def _contradicts(self, schema: SchemaVersion, schema_id: int) -> bool:
        """Whether what is kept says otherwise about `schema` or about `schema_id`."""
        kept = self._writers.get(schema_id)
        return self._ids.get(schema, schema_id) != schema_id or (kept is not None and kept.known != schema)

    def _keep(self, schema_id: int, text: str) -> WriterSchema | Unreadable:
        """Remember an id; return what it stands for, or why its values are no events."""
        writer = examine(text)
        if isinstance(writer, Unreadable):
            return self._refuse(schema_id, writer)
        self._writers[schema_id] = writer
        if writer.known is None:
            self._foreign[schema_id] = None
            if len(self._foreign) > FOREIGN_IDS_MAX:
                self._writers.pop(self._foreign.popitem(last=False)[0], None)
        elif writer.known.text == writer.text:
            self._ids[writer.known] = schema_id
        return writer

    def _refuse(self, schema_id: int, why: Unreadable) -> Unreadable:
        """Remember that an id stands for no event: that never changes."""
        self._unreadable[schema_id] = why
        if len(self._unreadable) > UNREADABLE_IDS_MAX:
            self._unreadable.popitem(last=False)
        return why

    def _save(self, schema_id: int, text: str) -> WriterSchema | Unreadable:
        """Remember an id and write its file, unless it is no readable event."""
        writer = self._keep(schema_id, text)
        if isinstance(writer, WriterSchema):
            self._files.save(schema_id, writer.text)
        return writer
