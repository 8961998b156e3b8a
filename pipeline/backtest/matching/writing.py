"""Writes matches: Parquet or CSV by the name's end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from pipeline.backtest.matching.results import Result
from pipeline.backtest.writing import ROWS, TextFile
from pipeline.runtime.escaping import csv_cell

SCHEMA = pa.schema(
    [
        ("line_id", pa.string()),
        ("posting_ids", pa.list_(pa.string())),
        ("tier", pa.string()),
        ("outcome", pa.string()),
        ("score", pa.int64()),
        ("decided_at", pa.timestamp("us", "UTC")),
    ]
)


def write(target: BinaryIO, path: Path, results: Iterable[Result]) -> None:
    """Write results in their order."""
    batches = _batches(iter(results))
    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    rows = csv.writer(TextFile(target), lineterminator="\n")
    rows.writerow(SCHEMA.names)
    for batch in batches:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            rows.writerow([csv_cell(_flat(cell)) for cell in row])


def _flat(cell: Any) -> Any:
    """Return a value for a cell of CSV: ids are divided by semicolons, times as in other files."""
    if isinstance(cell, list):
        return "; ".join(cell)
    return cell.isoformat().replace("+00:00", "Z") if hasattr(cell, "isoformat") else cell


def _batches(results: Iterator[Result]) -> Iterator[Any]:
    while rows := list(islice(results, ROWS)):
        columns = [
            pa.array(cells, pa.int64()).cast(kind.type)
            if pa.types.is_timestamp(kind.type)
            else pa.array(cells, kind.type)
            for cells, kind in zip(zip(*rows, strict=True), SCHEMA, strict=True)
        ]
        yield pa.record_batch(columns, schema=SCHEMA)
