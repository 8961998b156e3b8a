"""Framed Avro out of events: from single events, or from columns of them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

import schemas
from pipeline.domain.kernel.columns import cast
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.avro.check import encode
from pipeline.runtime.avro.framing import COLUMNS_MIN, HEADER
from pipeline.runtime.avro.reader import arrow_schema
from pipeline.runtime.avro.registry import Registry

_NO_SEPARATOR = pa.scalar(b"", pa.binary())


class EventWriter:
    """Encodes events of one class through one RecordBatch."""

    def __init__(self, event: type, registry: Registry) -> None:
        name = next(name for name, known in EVENTS.items() if known is event)
        newest = schemas.newest(name)
        self._text = newest.text
        self._schema = arrow_schema(newest.text)
        self._header = HEADER.pack(0, registry.id_of(newest))
        self._framing = pa.scalar(self._header, pa.binary())
        self._defaults = {
            field.name: field.default for field in msgspec.structs.fields(event) if not field.required
        }
        self._nested = [index for index, field in enumerate(self._schema) if _holds_structs(field.type)]

    def encode(self, events: Sequence[Any]) -> list[bytes]:
        """Return the framed values of events, in order."""
        if len(events) < COLUMNS_MIN:
            return list(map(self._encode_one, events))
        columns: list[Any] = list(zip(*map(msgspec.structs.astuple, events), strict=True))
        for index in self._nested:
            columns[index] = list(map(_plain, columns[index]))
        arrays = [pa.array(cells, field.type) for cells, field in zip(columns, self._schema, strict=True)]
        return list(self._serialize(arrays).to_pylist())

    def encode_columns(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Return the framed values of events that come as columns, in order; binary.

        A field without a column has its default. Raises KeyError where it has no default.
        """
        count = len(next(iter(columns.values())))
        return self._serialize(
            [
                _as(columns[field.name], field.type)
                if field.name in columns
                else _repeated(self._defaults[field.name], field.type, count)
                for field in self._schema
            ]
        )

    def _serialize(self, arrays: list[pa.Array]) -> pa.Array:
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        values = pyruhvro.serialize_record_batch(batch, self._text, 1)[0]
        return pc.binary_join_element_wise(self._framing, values, _NO_SEPARATOR)

    def _encode_one(self, event: Any) -> bytes:
        record = msgspec.structs.asdict(event)
        for index in self._nested:
            name = self._schema.names[index]
            record[name] = _plain(record[name])
        target = io.BytesIO()
        target.write(self._header)
        encode(target, self._text, record)
        return target.getvalue()


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column of another type. A date comes as the domain has it, as a number of days."""
    if pa.types.is_date32(kind) and pa.types.is_int64(column.type):
        column = column.cast(pa.int32())  # Arrow makes no date of 64 bits
    return cast(column, kind)


def _repeated(default: Any, kind: pa.DataType, count: int) -> pa.Array:
    """Return a column of one value; `pa.repeat` would take fifty times as long for a null Struct."""
    return pa.nulls(count, kind) if default is None else pa.repeat(pa.scalar(default, kind), count)


def _holds_structs(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_struct(kind))


def _plain(cell: Any) -> Any:
    """Return a Struct, or a tuple of them, as Arrow and fastavro take it; also what it holds."""
    if isinstance(cell, tuple):
        return list(map(_plain, cell))
    if not isinstance(cell, msgspec.Struct):
        return cell
    fields = msgspec.structs.asdict(cell)
    for name, value in fields.items():
        if isinstance(value, (tuple, msgspec.Struct)):
            fields[name] = _plain(value)
    return fields
