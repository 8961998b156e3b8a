"""Writes matches, and breaks: Parquet or CSV by the name's end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from pipeline.backtest.writing import ROWS, TextFile
from pipeline.runtime.escaping import csv_cell

_TIME = pa.timestamp("us", "UTC")
MATCHES = pa.schema(
    [
        ("line_id", pa.string()),
        ("posting_ids", pa.list_(pa.string())),
        ("tier", pa.string()),
        ("outcome", pa.string()),
        ("score", pa.int64()),
        ("decided_at", _TIME),
    ]
)
"""The fields of `results.Result`."""
BREAKS = pa.schema(
    [
        ("item", pa.string()),
        ("side", pa.string()),
        ("kind", pa.string()),
        ("difference_minor", pa.int64()),
        ("opened_at", _TIME),
        ("resolved_at", _TIME),
    ]
)
"""The fields of `results.Break`."""


def write(target: BinaryIO, path: Path, found: Iterable[tuple[Any, ...]], schema: Any) -> None:
    """Write rows of MATCHES or BREAKS in their order; times are given in microseconds UTC."""
    batches = _batches(iter(found), schema)
    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    rows = csv.writer(TextFile(target), lineterminator="\n")
    rows.writerow(schema.names)
    for batch in batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            rows.writerow([csv_cell(_flat(cell)) for cell in row])


def _flat(cell: Any) -> Any:
    """Return a value for a cell of CSV: ids are divided by semicolons, times as in other files."""
    if isinstance(cell, list):
        return "; ".join(cell)
    return cell.isoformat().replace("+00:00", "Z") if hasattr(cell, "isoformat") else cell


def _batches(found: Iterator[tuple[Any, ...]], schema: Any) -> Iterator[Any]:
    while rows := list(islice(found, ROWS)):
        columns = [
            pa.array(cells, pa.int64()).cast(kind.type)
            if pa.types.is_timestamp(kind.type)
            else pa.array(cells, kind.type)
            for cells, kind in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        yield pa.record_batch(columns, schema=schema)
