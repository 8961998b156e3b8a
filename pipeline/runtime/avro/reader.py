"""Events out of decoded Avro: from columns, or from records that were decoded one by one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa
import pyruhvro

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.records import makers_of
from pipeline.runtime.avro.check import parsed
from schemas import SchemaVersion
from schemas.upcasters import to_compute, upcast


class EventReader:
    """Makes events of one record name out of columns or single values."""

    def __init__(self, record_name: str) -> None:
        self.newest = schemas.newest(record_name)
        self.event = EVENTS[record_name]
        self._fields = [field["name"] for field in parsed(self.newest.text)["fields"]]
        self._made = makers_of(self.event)

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
