"""A registry without a network: the whole catalogue under fixed ids, and other schemas on demand."""

from __future__ import annotations

from functools import cache

import schemas
from pipeline.runtime.avro import writer_schemas
from pipeline.runtime.avro.registry import RegistryUnavailable
from pipeline.runtime.avro.writer_schemas import WriterSchema
from schemas import SchemaVersion

FIRST_ID = 1000
_recognise = cache(writer_schemas.recognise)
"""Benches have registries of their own, which all know the same schemas."""
UNAVAILABLE_ID = 666


class FixedRegistry:
    """As much of `pipeline.runtime.avro.registry.Registry` as the codec asks for."""

    def __init__(self) -> None:
        self._writers: dict[int, WriterSchema] = {}
        self._ids: dict[SchemaVersion, int] = {}
        for schema in schemas.load():
            self._ids[schema] = self.add(schema.text)

    def add(self, text: str, schema_id: int | None = None) -> int:
        """Register a schema, under the next id unless told; return its id."""
        writer = _recognise(text)
        assert writer is not None, "not an event that we can read"
        if schema_id is None:
            schema_id = FIRST_ID + len(self._writers)
        self._writers[schema_id] = writer
        return schema_id

    def schema_of(self, schema_id: int) -> WriterSchema | None:
        """Return what an id stands for, None for one that nobody has given out."""
        if schema_id == UNAVAILABLE_ID:
            raise RegistryUnavailable("no answer")
        return self._writers.get(schema_id)

    def id_of(self, schema: SchemaVersion) -> int:
        """Return the id of a schema of the catalogue."""
        return self._ids[schema]
