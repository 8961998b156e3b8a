"""Confluent-framed Avro values to events and back, a batch at a time.

    values -> by schema id -> columns (pyruhvro) -> proof -> upcast to the newest version -> frame, events
                           -> few, or no proof: strict decoding, value by value -> upcast -> events, dead

A batch decoded in columns is proven before it is believed: full validation of the Arrow arrays, and its
re-encoding equals the received bytes. Where either fails, every value goes through `decode_strict`, and only
the bad ones are given up, each with its reason. Both ways agree on every value (a differential fuzz says so).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import fastavro
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.avro.check import Malformed, decode_strict, parsed
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.avro.writer_schemas import WriterSchema
from pipeline.runtime.kafka.topics import RECORD_BYTES_MAX
from schemas import SchemaVersion
from schemas.upcasters import to_compute, upcast

_HEADER = struct.Struct(">BI")
HEADER_BYTES = _HEADER.size
_NO_SEPARATOR = pa.scalar(b"", pa.binary())

COLUMNS_MIN = 20
"""Batches of fewer values go one by one: 12 us to decode and 9 us to encode a value, where a batch of columns
costs 250 us and 170 us before its first value (PaymentDecided, one of two shared cores, 2026-11)."""


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
    """What became of a list of values: groups of columns, single events, and the reasons of the dead."""

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
    """Decode Avro values (no header) of one schema into columns, with proof; raise `Unproven`."""
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


class Codec:
    """Decodes and encodes events; the schema ids come from the registry, once each."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._readers = {name: _Reader(name) for name in schemas.record_names()}
        self._writers: dict[type, _Writer] = {}

    def decode(self, values: Sequence[bytes | None], bytes_max: int = RECORD_BYTES_MAX) -> Decoded:
        """Decode framed values of up to `bytes_max`. Raises `RegistryUnavailable` if an id may be good but
        cannot be looked up."""
        frame = self.frame(values, COLUMNS_MIN, bytes_max)
        return Decoded(frame.events(0, len(values)), frame.dead)

    def kinds(self, values: Sequence[bytes | None]) -> list[type | None]:
        """Return the class of event that the header of each framed value names; None for an unknown one.

        Whether the value is one, only `decode` tells. Raises as `decode`.
        """
        headers = [value[:HEADER_BYTES] if value else b"" for value in values]
        known = {header: self._kind(header) for header in dict.fromkeys(headers)}
        return [known[header] for header in headers]

    def _kind(self, header: bytes) -> type | None:
        if len(header) != HEADER_BYTES:
            return None
        magic, schema_id = _HEADER.unpack(header)
        writer = self._registry.schema_of(schema_id) if magic == 0 else None
        return None if writer is None else EVENTS[writer.record_name]

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
        magic, schema_id = _HEADER.unpack(header)
        writer = self._registry.schema_of(schema_id) if magic == 0 else None
        if writer is None:
            code = "unknown_schema_id" if magic == 0 else "wrong_magic_byte"
            dead = Dead(code, f"{schema_id if magic == 0 else magic}")
            found.dead.update(dict.fromkeys(indexes, dead))
            return
        reader = self._readers[writer.record_name]
        raw = [values[index][HEADER_BYTES:] for index in indexes]
        columnar = writer.known is not None and len(raw) >= columns_min
        if columnar and self._decode_columns(reader, writer, indexes, raw, found):
            return
        text = writer.text if writer.known is None else writer.known.text
        rows = {}
        for index, value in zip(indexes, raw, strict=True):
            try:
                rows[index] = decode_strict(value, text, reader.newest.text)
            except Malformed as error:
                found.dead[index] = Dead("malformed_value", str(error))
        # One bad value must not keep the others from going by columns.
        good = [value for index, value in zip(indexes, raw, strict=True) if index in rows]
        mixed = columnar and columns_min <= len(good) < len(raw)
        if not (mixed and self._decode_columns(reader, writer, [*rows], good, found)):
            found.singles.update(zip(rows, reader.from_rows([*rows.values()], text), strict=True))

    @staticmethod
    def _decode_columns(
        reader: _Reader, writer: WriterSchema, indexes: list[int], raw: list[bytes], found: Frame
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
        """Encode events of one class, framed. Raises `NotRegistered`, `RegistryUnavailable`."""
        return self._writer(type(events[0])).encode(events)

    def encode_columns(self, event: type, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Encode events of a class that come as columns, framed (binary); raises as `encode`."""
        return self._writer(event).encode_columns(columns)

    def _writer(self, event: type) -> _Writer:
        writer = self._writers.get(event)
        if writer is None:
            writer = self._writers[event] = _Writer(event, self._registry)
        return writer


def _unframed(value: bytes | None, bytes_max: int) -> Dead:
    """Return why a value has no header that can be looked at."""
    if value and len(value) > bytes_max:
        return Dead("too_large", f"{len(value)} bytes, at most {bytes_max}")
    return Dead("no_header" if value else "no_value", "")


class _Reader:
    """Makes events of one record name out of columns or single values."""

    def __init__(self, record_name: str) -> None:
        self.newest = schemas.newest(record_name)
        self.event = EVENTS[record_name]
        self._fields = [field["name"] for field in parsed(self.newest.text)["fields"]]
        self._arrays = _array_fields(self.event)

    def events(self, batch: pa.RecordBatch) -> list[Any]:
        """Return the events of a decoded batch of the newest version, in order."""
        columns = [_cells(batch.column(name), self._arrays.get(name)) for name in self._fields]
        return list(map(self.event, *columns))

    def from_rows(self, rows: list[dict[str, Any]], writer: str) -> list[Any]:
        """Return the events of records that Avro has resolved to the newest version, in order.

        What their writer's schema (JSON) cannot say, and upcasters compute, they compute for all records at
        once: 0.2 ms, however few.
        """
        version, names = _to_compute(self.newest.record_name, writer)
        if names and rows:
            batch = pa.RecordBatch.from_pylist(rows, arrow_schema(version.text))
            batch = upcast(version.record_name, version.version, batch)
            for name in names:
                for row, cell in zip(rows, _cells(batch.column(name), None), strict=True):
                    row[name] = cell
        return list(map(self._from_row, rows))

    def _from_row(self, row: dict[str, Any]) -> Any:
        """Return the event of one decoded record of the newest version."""
        for name, make in self._arrays.items():
            row[name] = tuple(row[name]) if make is None else tuple(make(**item) for item in row[name])
        return self.event(*map(row.__getitem__, self._fields))


class _Writer:
    """Encodes events of one class through one RecordBatch."""

    def __init__(self, event: type, registry: Registry) -> None:
        name = next(name for name, known in EVENTS.items() if known is event)
        newest = schemas.newest(name)
        self._text = newest.text
        self._parsed = parsed(newest.text)
        self._schema = arrow_schema(newest.text)
        self._header = _HEADER.pack(0, registry.id_of(newest))
        self._framing = pa.scalar(self._header, pa.binary())
        self._defaults = {
            field.name: field.default for field in msgspec.structs.fields(event) if not field.required
        }
        self._lists = [index for index, field in enumerate(self._schema) if pa.types.is_list(field.type)]

    def encode(self, events: Sequence[Any]) -> list[bytes]:
        """Return the framed values of events, in order."""
        if len(events) < COLUMNS_MIN:
            return list(map(self._encode_one, events))
        columns: list[Any] = list(zip(*map(msgspec.structs.astuple, events), strict=True))
        for index in self._lists:
            columns[index] = [[_plain_item(item) for item in cell] for cell in columns[index]]
        arrays = [pa.array(cells, field.type) for cells, field in zip(columns, self._schema, strict=True)]
        return list(self._serialize(arrays).to_pylist())

    def encode_columns(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Return the framed values of events that come as columns, in order; binary.

        A field that has no column has its default. Raises `KeyError` where it has none.
        """
        count = len(next(iter(columns.values())))
        return self._serialize(
            [
                columns[field.name].cast(field.type)
                if field.name in columns
                else pa.repeat(pa.scalar(self._defaults[field.name], field.type), count)
                for field in self._schema
            ]
        )

    def _serialize(self, arrays: list[pa.Array]) -> pa.Array:
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        values = pyruhvro.serialize_record_batch(batch, self._text, 1)[0]
        return pc.binary_join_element_wise(self._framing, values, _NO_SEPARATOR)

    def _encode_one(self, event: Any) -> bytes:
        row = msgspec.structs.asdict(event)
        for index in self._lists:
            name = self._schema.names[index]
            row[name] = [_plain_item(item) for item in row[name]]
        target = io.BytesIO()
        target.write(self._header)
        fastavro.schemaless_writer(target, self._parsed, row)
        return target.getvalue()


@cache
def _to_compute(record_name: str, writer: str) -> tuple[SchemaVersion, tuple[str, ...]]:
    """Return `to_compute` for a writer's schema (JSON)."""
    return to_compute(record_name, {field["name"] for field in parsed(writer)["fields"]})


@cache
def arrow_schema(text: str) -> pa.Schema:
    """Return the Arrow schema that pyruhvro gives the values of an Avro schema (JSON)."""
    return pyruhvro.deserialize_array([], text).schema


def _cells(column: pa.Array, make: Callable[..., Any] | None) -> list[Any]:
    """Return a column as Python values: times and dates as integers, arrays as tuples."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return list(column.cast(pa.int64()).to_pylist())
    if pa.types.is_date32(kind):
        return list(column.cast(pa.int32()).to_pylist())
    if pa.types.is_list(kind):
        if make is None:
            return [tuple(cell) for cell in column.to_pylist()]
        return [tuple(make(**item) for item in cell) if cell else () for cell in column.to_pylist()]
    return list(column.to_pylist())


def _plain_item(item: Any) -> Any:
    return msgspec.structs.asdict(item) if isinstance(item, msgspec.Struct) else item


def _array_fields(event: type) -> dict[str, type | None]:
    """Return the fields that are arrays, each with the Struct of its items; None for plain items."""
    found = {}
    for field in msgspec.inspect.type_info(event).fields:  # type: ignore[attr-defined]
        if isinstance(field.type, msgspec.inspect.VarTupleType):
            item = field.type.item_type
            found[field.name] = item.cls if isinstance(item, msgspec.inspect.StructType) else None
    return found
