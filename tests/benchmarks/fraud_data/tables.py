"""What a generator returns: tables, their digests, and files of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class DataSet:
    """Payments in the order of their time, and what is known of them, and when."""

    name: str
    seed: int
    payments: pa.Table
    """payment_id, debtor_account_id, creditor_account_id, amount_minor, currency, occurred_at; the mixture
    also channel, device_id, counterparty_country, merchant_category."""
    labels: pa.Table
    """payment_id, label, labelled_at: what a bank comes to know, in the order of `labelled_at`."""
    truth: pa.Table
    """A row for each payment, in the same order: payment_id, fraud, kind, instance. For evaluation only."""
    instances: pa.Table
    """A row for each planted typology: instance, kind, payments, first_at, last_at. For evaluation only."""

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables by name."""
        return {name: getattr(self, name) for name in ("payments", "labels", "truth", "instances")}

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each table."""
        return {name: digest(table) for name, table in self.tables.items()}

    def write(self, folder: Path) -> list[Path]:
        """Write a Parquet file for each table; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}-{self.seed}-{name}.parquet" for name in self.tables]
        for path, table in zip(paths, self.tables.values(), strict=True):
            pq.write_table(table, path)
        return paths


def digest(table: pa.Table) -> str:
    """Return the SHA-256 of names, types and values, not of a file: its bytes depend on the writer's version.

    A number is eight bytes, the least first; a text its length as such a number, all lengths before all
    texts; a null is a number or length of -1.
    """
    found = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        found.update(f"{field.name}:{field.type}:{len(column)}\n".encode())
        cells = column.combine_chunks()
        if isinstance(cells, pa.ChunkedArray):
            cells = pa.concat_arrays(cells.chunks)
        if pa.types.is_string(field.type):
            lengths = pa.compute.fill_null(pa.compute.binary_length(cells), -1)
            found.update(lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
            found.update(_texts(cells))
        else:
            if pa.types.is_timestamp(field.type):
                cells = cells.cast(pa.int64())
            numbers = pa.compute.fill_null(cells.cast(pa.int64()), -1)
            found.update(numbers.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
    return found.hexdigest()


def _texts(cells: pa.StringArray) -> bytes:
    """Return all texts of an array, one after the other."""
    _, offsets, data = cells.buffers()
    if data is None or not len(cells):
        return b""
    places = np.frombuffer(offsets, np.int32)
    start, stop = places[cells.offset], places[cells.offset + len(cells)]
    return data[int(start) : int(stop)].to_pybytes()


def numbered(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    """Return texts: the prefix and each number with leading zeros; string."""
    head = prefix.encode()
    text = np.empty((len(numbers), len(head) + width), np.uint8)
    text[:, : len(head)] = np.frombuffer(head, np.uint8)
    rest = numbers.astype(np.int64)
    for place in range(len(head) + width - 1, len(head) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, place] = digit + ord("0")
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def times(at: np.ndarray) -> pa.Array:
    """Return microseconds UTC as timestamps."""
    return pa.array(at.astype(np.int64), TIME)


def named(names: list[str], places: np.ndarray) -> pa.Array:
    """Return the name at each place, null where the place is negative; string."""
    return pa.array(names, pa.string()).take(pa.array(np.where(places < 0, 0, places), mask=places < 0))
