"""Events out of decoded Avro: from columns, or from records that were decoded one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pyarrow as pa
import pyruhvro
from msgspec import inspect

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.avro.check import parsed
from schemas import SchemaVersion
from schemas.upcasters import to_compute, upcast


class EventReader:
    """Makes events of one record name out of columns or single values."""

    def __init__(self, record_name: str) -> None:
        self.newest = schemas.newest(record_name)
        self.event = EVENTS[record_name]
        self._fields = [field["name"] for field in parsed(self.newest.text)["fields"]]
        self._made = _made_fields(self.event)

    def events(self, batch: pa.RecordBatch) -> list[Any]:
        """Return the events of a decoded batch of the newest version, in order."""
        columns = [_cells(batch.column(name), self._made.get(name)) for name in self._fields]
        return list(map(self.event, *columns))

    def from_records(self, records: list[dict[str, Any]], writer: str) -> list[Any]:
        """Return the events of records that Avro has resolved to the newest version, in order.

        What their writer's schema (JSON) cannot say, and upcasters compute, they compute for all records at
        once: 0.2 ms, however few.
        """
        version, names = _to_compute(self.newest.record_name, writer)
        if names and records:
            batch = pa.RecordBatch.from_pylist(records, arrow_schema(version.text))
            batch = upcast(version.record_name, version.version, batch)
            for name in names:
                for record, cell in zip(records, _cells(batch.column(name), None), strict=True):
                    record[name] = cell
        return list(map(self._from_record, records))

    def _from_record(self, record: dict[str, Any]) -> Any:
        """Return the event of one decoded record of the newest version."""
        for name, make in self._made.items():
            record[name] = make(record[name])
        return self.event(*map(record.__getitem__, self._fields))


@cache
def _to_compute(record_name: str, writer: str) -> tuple[SchemaVersion, tuple[str, ...]]:
    """Return `to_compute` for a writer's schema (JSON)."""
    return to_compute(record_name, {field["name"] for field in parsed(writer)["fields"]})


@cache
def arrow_schema(text: str) -> pa.Schema:
    """Return the Arrow schema that pyruhvro gives the values of an Avro schema (JSON)."""
    return pyruhvro.deserialize_array([], text).schema


def _cells(column: pa.Array, make: Callable[..., Any] | None) -> list[Any]:
    """Return a column as Python values: times and dates as integers; `make` makes the others of Arrow's."""
    if column.null_count == len(column):
        return [None] * len(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        return list(column.cast(pa.int64()).to_pylist())
    if pa.types.is_date32(kind):
        return list(column.cast(pa.int32()).to_pylist())
    cells = column.to_pylist()
    return list(cells if make is None else map(make, cells))


def _made_fields(event: type) -> dict[str, Callable[[Any], Any]]:
    """Return how the fields that are no scalars are made of what Arrow and fastavro have for them."""
    fields = inspect.type_info(event).fields  # type: ignore[attr-defined]
    return {field.name: make for field in fields if (make := _maker(field.type)) is not None}


def _maker(kind: inspect.Type) -> Callable[[Any], Any] | None:
    """Return what makes a Struct of a dict, a tuple of a list, a dict of a map; None for a scalar."""
    if isinstance(kind, inspect.UnionType):
        makers = [make for one in kind.types if (make := _maker(one)) is not None]
        return partial(_unless_none, makers[0]) if makers else None
    if isinstance(kind, inspect.VarTupleType):
        item = _maker(kind.item_type)
        return tuple if item is None else partial(_tuple_of, item)
    if isinstance(kind, inspect.StructType):
        inner = {field.name: make for field in kind.fields if (make := _maker(field.type)) is not None}
        return partial(_struct_of, kind.cls, inner)
    return dict if isinstance(kind, inspect.DictType) else None


def _unless_none(make: Callable[[Any], Any], cell: Any) -> Any:
    return None if cell is None else make(cell)


def _tuple_of(make: Callable[[Any], Any], cell: list[Any]) -> tuple[Any, ...]:
    return tuple(map(make, cell)) if cell else ()


def _struct_of(cls: type, inner: dict[str, Callable[[Any], Any]], cell: dict[str, Any]) -> Any:
    made = {name: make(cell[name]) for name, make in inner.items()}
    return cls(**{**cell, **made})
