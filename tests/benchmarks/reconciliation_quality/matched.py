"""What matching says: results and breaks, as tables, so that a file is judged like a run in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pyarrow as pa

TIME = pa.timestamp("us", "UTC")
RESULTS = pa.schema(
    [
        ("line_id", pa.string()),
        ("posting_ids", pa.list_(pa.string())),
        ("tier", pa.string()),
        ("outcome", pa.string()),
        ("score", pa.int64()),
        ("decided_at", TIME),
    ]
)
"""A row for each line that is matched, with its postings; of one posting and several lines each has a row.

A reversal of two lines: a row for each, without postings. Of two postings: a row with both, line_id null.
"""
BREAKS = pa.schema([("item", pa.string()), ("kind", pa.string()), ("opened_at", TIME), ("resolved_at", TIME)])
"""A row for each break and each of its items: a line_id or posting_id; resolved_at null: it is open."""
CONFIRMED, SUGGESTED = "confirmed", "suggested"


class Matched(NamedTuple):
    """What matching has said when all was due."""

    results: pa.Table
    breaks: pa.Table


class Result(NamedTuple):
    """A row of RESULTS; the time in microseconds UTC."""

    line_id: str | None
    posting_ids: tuple[str, ...]
    tier: str
    outcome: str
    score: int
    decided_at: int


class Break(NamedTuple):
    """A row of BREAKS; times in microseconds UTC."""

    item: str
    kind: str
    opened_at: int
    resolved_at: int | None


Run = Callable[[pa.Table, pa.Table, pa.Table | None], Matched]
"""(postings, lines, labels or None) -> results and breaks, of the generator's tables.

Labels may be learned from at once; nothing else that knows the truth may be read.
"""


def matched(results: Iterable[Result], breaks: Iterable[Break]) -> Matched:
    """Return tables of results and breaks."""
    return Matched(_table(results, RESULTS), _table(breaks, BREAKS))


def results_of(found: Matched) -> list[Result]:
    """Return the rows of the results. Raises ValueError for a strange outcome, a missing column."""
    columns = _columns(found.results, RESULTS)
    rows = [
        Result(line, tuple(ours or ()), tier, outcome, score or 0, at)
        for line, ours, tier, outcome, score, at in zip(*columns, strict=True)
    ]
    odd = sorted({str(row.outcome) for row in rows} - {CONFIRMED, SUGGESTED})
    if odd:
        raise ValueError(f"an outcome is {CONFIRMED} or {SUGGESTED}, not {', '.join(odd)}")
    return rows


def breaks_of(found: Matched) -> list[Break]:
    """Return the rows of the breaks. Raises ValueError for a column that is missing."""
    return [Break(*row) for row in zip(*_columns(found.breaks, BREAKS), strict=True)]


def _columns(table: pa.Table, schema: pa.Schema) -> list[list[Any]]:
    missing = [name for name in schema.names if name not in table.schema.names]
    if missing:
        raise ValueError(f"columns are missing: {', '.join(missing)}")
    return [_cast(table[field.name], field.type).to_pylist() for field in schema]


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    column = column.cast(kind)
    return column.cast(pa.int64()) if pa.types.is_timestamp(kind) else column


def _table(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    listed = list(rows)
    arrays = []
    for place, field in enumerate(schema):
        values = [row[place] for row in listed]
        timed = pa.types.is_timestamp(field.type)
        arrays.append(pa.array(values, pa.int64() if timed else field.type).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
