"""Confluent-framed Avro values to events and back, a batch at a time.

    values -> by schema id -> columns (pyruhvro) -> proof -> upcast to the newest version -> frame, events
                           -> few, or no proof: strict decoding, value by value -> upcast -> events, dead

A batch decoded in columns is used only with a proof: full validation of the Arrow arrays, and a re-encoding
that equals the received bytes. Where either fails, every value goes through `decode_strict`, and only the bad
ones are refused, each with its reason. Both ways agree on every value (tested by a differential fuzz).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyruhvro

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.avro.check import Malformed, decode_strict
from pipeline.runtime.avro.framing import COLUMNS_MIN, HEADER, HEADER_BYTES
from pipeline.runtime.avro.reader import EventReader
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.avro.writer import EventWriter
from pipeline.runtime.avro.writer_schemas import Unreadable, WriterSchema
from pipeline.runtime.kafka.topics import RECORD_BYTES_MAX
from schemas.upcasters import upcast

FOREIGN = "foreign_schema"
"""Code of the dead letters, and of the alert, of versions that are not of the catalogue."""
FOREIGN_TOLD_MAX = 10_000


class Dead(NamedTuple):
    """Why a value cannot be an event."""

    code: str
    detail: str


class Decoded(NamedTuple):
    """The events of a batch, in its order; None where `dead` has the reason for that index."""

    events: list[Any]
    dead: dict[int, Dead]


class Group(NamedTuple):
    """Values of one schema, decoded in columns and brought to the newest version."""

    event: type
    positions: np.ndarray
    """Where they stood among the values, ascending."""
    batch: pa.RecordBatch
    to_events: Callable[[pa.RecordBatch], list[Any]]


class Frame:
    """The result of decoding a list of values: groups of columns, single events, and why others are none."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.singles: dict[int, Any] = {}
        self.dead: dict[int, Dead] = {}

    def events(self, start: int, stop: int) -> list[Any]:
        """Return the events of the values from `start` up to but not including `stop`; None where dead."""
        events: list[Any] = [None] * (stop - start)
        for position, event in self.singles.items():
            if start <= position < stop:
                events[position - start] = event
        for group in self.groups:
            first, end = np.searchsorted(group.positions, (start, stop)).tolist()
            if first == end:
                continue
            made = group.to_events(group.batch.slice(first, end - first))
            for position, event in zip(group.positions[first:end].tolist(), made, strict=True):
                events[position - start] = event
        return events


class Unproven(Exception):
    """A batch that the columnar decoder cannot be trusted with."""


def decode_columns(raw: list[bytes], text: str) -> pa.RecordBatch:
    """Decode Avro values (no header) of one schema into columns. Raises Unproven where there is no proof."""
    try:
        batch = pyruhvro.deserialize_array(raw, text)
        batch.validate(full=True)
        again = pyruhvro.serialize_record_batch(batch, text, 1)[0]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the decoder's PanicException is a BaseException
        raise Unproven(type(error).__name__) from None
    if batch.num_rows != len(raw) or not again.equals(pa.array(raw, again.type)):
        raise Unproven("the re-encoded bytes differ")
    return batch


OnForeign = Callable[[int, WriterSchema], None]
"""Told once of each schema id in use whose schema is of one of our events, and not of the catalogue."""


class Codec:
    """Decodes and encodes events; the schema ids come from the registry, once each."""

    def __init__(
        self, registry: Registry, *, refuse_foreign: bool = False, on_foreign: OnForeign | None = None
    ) -> None:
        """`refuse_foreign`: values of versions that are not of the catalogue are no events."""
        self._registry = registry
        self._refuse_foreign = refuse_foreign
        self.on_foreign = on_foreign
        self.foreign_values: Counter[str] = Counter()
        """How many values of such versions there were, by name of the record."""
        self._told: set[int] = set()
        self._readers = {name: EventReader(name) for name in schemas.record_names()}
        self._writers: dict[type, EventWriter] = {}

    def another(self) -> Codec:
        """Return a codec of the same registry for another thread: one codec must not be shared by two."""
        return Codec(self._registry, refuse_foreign=self._refuse_foreign)

    def decode(self, values: Sequence[bytes | None], bytes_max: int = RECORD_BYTES_MAX) -> Decoded:
        """Decode framed values of up to `bytes_max` bytes.

        Raises RegistryUnavailable where an id may be good but cannot be looked up.
        """
        frame = self.frame(values, COLUMNS_MIN, bytes_max)
        return Decoded(frame.events(0, len(values)), frame.dead)

    def kinds(self, values: Sequence[bytes | None]) -> list[type | None]:
        """Return the class of event that the header of each framed value names; None for an unknown one.

        Whether the value is such an event, only `decode` tells. Raises as `decode`.
        """
        headers = [value[:HEADER_BYTES] if value else b"" for value in values]
        known = {header: self._kind(header) for header in dict.fromkeys(headers)}
        return [known[header] for header in headers]

    def _kind(self, header: bytes) -> type | None:
        if len(header) != HEADER_BYTES:
            return None
        magic, schema_id = HEADER.unpack(header)
        writer = self._registry.schema_of(schema_id) if magic == 0 else None
        if not isinstance(writer, WriterSchema) or (writer.known is None and self._refuse_foreign):
            return None
        return EVENTS[writer.record_name]

    def frame(
        self, values: Sequence[bytes | None], columns_min: int = 1, bytes_max: int = RECORD_BYTES_MAX
    ) -> Frame:
        """Decode framed values, as columns where a schema has `columns_min` values; raises as `decode`."""
        found = Frame()
        headers = [value[:HEADER_BYTES] if value and len(value) <= bytes_max else b"" for value in values]
        groups: dict[bytes, list[int]] = {header: [] for header in dict.fromkeys(headers)}
        if len(groups) == 1:
            groups[headers[0]] += range(len(values))
        else:
            for index, header in enumerate(headers):
                groups[header].append(index)
        for header, indexes in groups.items():
            if len(header) == HEADER_BYTES:
                self._decode_group(header, indexes, values, columns_min, found)
            else:
                found.dead.update((index, _unframed(values[index], bytes_max)) for index in indexes)
        return found

    def _decode_group(
        self, header: bytes, indexes: list[int], values: Sequence[Any], columns_min: int, found: Frame
    ) -> None:
        writer = self._writer_of(header, len(indexes))
        if isinstance(writer, Dead):
            found.dead.update(dict.fromkeys(indexes, writer))
            return
        reader = self._readers[writer.record_name]
        raw = [values[index][HEADER_BYTES:] for index in indexes]
        columnar = writer.known is not None and len(raw) >= columns_min
        if columnar and self._decode_columns(reader, writer, indexes, raw, found):
            return
        text = writer.text if writer.known is None else writer.known.text
        decoded = {}
        for index, value in zip(indexes, raw, strict=True):
            try:
                decoded[index] = decode_strict(value, text, reader.newest.text)
            except Malformed as error:
                found.dead[index] = Dead("malformed_value", str(error))
        # One bad value must not keep the others from going by columns.
        good = [value for index, value in zip(indexes, raw, strict=True) if index in decoded]
        mixed = columnar and columns_min <= len(good) < len(raw)
        if not (mixed and self._decode_columns(reader, writer, [*decoded], good, found)):
            found.singles.update(zip(decoded, reader.from_records([*decoded.values()], text), strict=True))

    def _writer_of(self, header: bytes, values: int) -> WriterSchema | Dead:
        """Return the schema that so many values with this header were written with, or why they are none."""
        magic, schema_id = HEADER.unpack(header)
        if magic != 0:
            return Dead("wrong_magic_byte", f"{magic}")
        writer = self._registry.schema_of(schema_id)
        if writer is None:
            return Dead("unknown_schema_id", f"{schema_id}")
        if isinstance(writer, Unreadable):
            return Dead(writer.code, f"{schema_id}: {writer.detail}")
        if writer.known is not None:
            return writer
        self.foreign_values[writer.record_name] += values
        if self.on_foreign is not None and schema_id not in self._told:
            if len(self._told) == FOREIGN_TOLD_MAX:
                self._told.clear()
            self._told.add(schema_id)
            self.on_foreign(schema_id, writer)
        return Dead(FOREIGN, f"{schema_id}: {writer.difference}") if self._refuse_foreign else writer

    @staticmethod
    def _decode_columns(
        reader: EventReader, writer: WriterSchema, indexes: list[int], raw: list[bytes], found: Frame
    ) -> bool:
        """Add the values to the frame as columns, if they can be proven; return whether that was so."""
        assert writer.known is not None
        try:
            batch = decode_columns(raw, writer.known.text)
        except Unproven:
            return False
        batch = upcast(writer.record_name, writer.known.version, batch)
        found.groups.append(Group(reader.event, np.array(indexes), batch, reader.events))
        return True

    def encode(self, events: Sequence[Any]) -> list[bytes]:
        """Encode events of one class, framed.

        Raises NotRegistered where the registry lacks their schema, RegistryUnavailable where it does not
        answer.
        """
        return self._writer(type(events[0])).encode(events)

    def encode_columns(self, event: type, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Encode events of a class that come as columns, framed (binary); raises as `encode`."""
        return self._writer(event).encode_columns(columns)

    def _writer(self, event: type) -> EventWriter:
        writer = self._writers.get(event)
        if writer is None:
            writer = self._writers[event] = EventWriter(event, self._registry)
        return writer


def _unframed(value: bytes | None, bytes_max: int) -> Dead:
    """Return why a value has no header that can be looked at."""
    if value and len(value) > bytes_max:
        return Dead("too_large", f"{len(value)} bytes, at most {bytes_max}")
    return Dead("no_header" if value else "no_value", "")
