"""Records to be written, in order by destination: one by one, or as columns where they are many.

unit: events, blocks -> Pieces -> one list, or one pair of columns, for each destination
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

NO_HEADERS: list[tuple[str, bytes]] = []
COLUMNS_MIN = 100
"""Fewer records than this are written one by one, if they do not come as columns."""

OutputRecord = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int | None]
"""A record to be written: key, value, headers, timestamp in ms (None: the time of writing). A plain tuple,
because a worker makes many thousands of them a second."""


class Columns(NamedTuple):
    """Records in order, without headers; all get the time of writing."""

    keys: pa.Array
    """Binary; null where a record has none, as in `values`."""
    values: pa.Array

    def take(self, order: np.ndarray) -> Columns:
        """Return the records with these indexes, in that order."""
        return self if _all_in_order(order, len(self.keys)) else Columns(*(one.take(order) for one in self))


def _all_in_order(order: np.ndarray, count: int) -> bool:
    return len(order) == count and bool((order == np.arange(count)).all())


Records = list[OutputRecord] | Columns
Destination = tuple[str, int]
"""(topic, partition) that records are written to."""
Outputs = Mapping[Destination, Records]
"""Records by destination, in order."""


def singly(records: Records) -> list[OutputRecord]:
    """Return the records one by one."""
    if not isinstance(records, Columns):
        return records
    pairs = zip(records.keys.to_pylist(), records.values.to_pylist(), strict=True)
    return [(key, value, NO_HEADERS, None) for key, value in pairs]


def count_of(records: Records) -> int:
    """Return the number of records."""
    return len(records.keys) if isinstance(records, Columns) else len(records)


def rows_as_records(rows: Mapping[bytes, bytes | None]) -> Records:
    """Return the rows of a table as records of its changelog."""
    if len(rows) < COLUMNS_MIN:
        return [(key, value, NO_HEADERS, None) for key, value in rows.items()]
    return Columns(pa.array(rows.keys(), pa.binary()), pa.array(rows.values(), pa.binary()))


class Pieces:
    """Collects records in order."""

    def __init__(self) -> None:
        self._pieces: dict[Destination, list[Records]] = {}

    def add(self, topic: str, partition: int, record: OutputRecord) -> None:
        """Add one record."""
        pieces = self._pieces.setdefault((topic, partition), [])
        if not pieces or isinstance(pieces[-1], Columns):
            pieces.append([])
        pieces[-1].append(record)  # type: ignore[union-attr]

    def add_columns(self, topic: str, partition: int, columns: Columns) -> None:
        """Add records that come as columns."""
        self._pieces.setdefault((topic, partition), []).append(columns)

    def add_records(self, topic: str, partition: int, records: Records) -> None:
        """Add records that are in order already."""
        self._pieces.setdefault((topic, partition), []).append(records)

    def joined(self) -> dict[Destination, Records]:
        """Return the records of each destination as one."""
        return {destination: _joined(pieces) for destination, pieces in self._pieces.items()}


def _joined(pieces: list[Records]) -> Records:
    alone = all(isinstance(piece, list) for piece in pieces) and sum(map(count_of, pieces)) < COLUMNS_MIN
    if alone or not all(map(_fits_columns, pieces)):
        return [record for piece in pieces for record in singly(piece)]
    return joined_columns([piece if isinstance(piece, Columns) else columns_of(piece) for piece in pieces])


def _fits_columns(piece: Records) -> bool:
    return isinstance(piece, Columns) or not any(headers or stamp for _, _, headers, stamp in piece)


def joined_columns(parts: list[Columns]) -> Columns:
    """Return the records of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return Columns(*map(pa.concat_arrays, zip(*parts, strict=True)))


def columns_of(records: Iterable[OutputRecord]) -> Columns:
    """Return records without headers as columns."""
    pairs = [(key, value) for key, value, _, _ in records]
    return Columns(*(pa.array([pair[part] for pair in pairs], pa.binary()) for part in (0, 1)))
