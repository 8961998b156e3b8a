"""What the generator returns: tables, their digests, and files of them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.days import FIRST, at, day_of
from tests.benchmarks.reconciliation_data.items import Instance, Line, Posting

TIME = pa.timestamp("us", "UTC")
POSTINGS = pa.schema(
    [
        ("posting_id", pa.string()),
        ("account_id", pa.string()),
        ("amount_minor", pa.int64()),
        ("currency", pa.string()),
        ("occurred_at", TIME),
        ("reference", pa.string()),
        ("counterparty", pa.string()),
        ("description", pa.string()),
    ]
)
LINES = pa.schema(
    [
        ("line_id", pa.string()),
        ("account_id", pa.string()),
        ("amount_minor", pa.int64()),
        ("currency", pa.string()),
        ("booked_at", TIME),
        ("value_date", pa.date32()),
        ("reference", pa.string()),
        ("description", pa.string()),
    ]
)
LABELS = pa.schema([("posting_id", pa.string()), ("line_id", pa.string())])
TRUTH = pa.schema(
    [
        ("instance", pa.int64()),
        ("kind", pa.string()),
        ("line_id", pa.string()),
        ("posting_ids", pa.list_(pa.string())),
    ]
)
CLOSINGS = pa.schema(
    [
        ("statement_id", pa.string()),
        ("account_id", pa.string()),
        ("currency", pa.string()),
        ("sequence_no", pa.int64()),
        ("opening_balance_minor", pa.int64()),
        ("closing_balance_minor", pa.int64()),
        ("line_count", pa.int64()),
        ("closed_at", TIME),
    ]
)
PLACES = pa.schema([("line_id", pa.string()), ("statement_id", pa.string()), ("line_no", pa.int64())])
RATES = pa.schema([("currency", pa.string()), ("date", pa.date32()), ("euros_e6", pa.int64())])
CLOSED_S = 22 * 3_600
"""When a bank closes a day's statement."""


@dataclass(frozen=True)
class DataSet:
    """The files of a seed."""

    seed: int
    postings: pa.Table
    """In the order of their time."""
    lines: pa.Table
    """In the order of their booking."""
    labels: pa.Table
    """What people have confirmed: a fifth of the instances that they could."""
    truth: pa.Table
    """A row for each line, and for postings that the bank never sees. For evaluation only."""
    closings: pa.Table
    """A statement for each account and day on which its bank has booked."""
    places: pa.Table
    """Which line of which statement a line is."""
    rates: pa.Table
    """EUR for one unit of a currency by day, in millionths, as the books have it."""

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The tables by name."""
        names = ("postings", "lines", "labels", "truth", "closings", "places", "rates")
        return {name: getattr(self, name) for name in names}

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each table."""
        return {name: digest(table) for name, table in self.tables.items()}

    def write(self, folder: Path) -> list[Path]:
        """Write a Parquet file for each table; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"reconciliation-{self.seed}-{name}.parquet" for name in self.tables]
        for path, table in zip(paths, self.tables.values(), strict=True):
            pq.write_table(table, path)
        return paths


def digest(table: pa.Table) -> str:
    """Return the SHA-256 of names, types and values; a file's bytes depend on its writer's version."""
    found = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        elif pa.types.is_date(field.type):
            column = column.cast(pa.int32())
        found.update(f"{field.name}:{field.type}\n{json.dumps(column.to_pylist())}\n".encode())
    return found.hexdigest()


def postings(items: Sequence[Posting]) -> pa.Table:
    """Return postings as a table."""
    rows = [
        (
            one.id,
            one.account,
            one.amount_minor,
            one.currency,
            one.at,
            one.reference,
            one.counterparty,
            one.description,
        )
        for one in items
    ]
    return _table(rows, POSTINGS)


def lines(items: Sequence[Line]) -> pa.Table:
    """Return lines as a table."""
    rows = [
        (
            one.id,
            one.account,
            one.amount_minor,
            one.currency,
            one.booked_at,
            FIRST + one.value_day,
            one.reference,
            one.description,
        )
        for one in items
    ]
    return _table(rows, LINES)


def labels(instances: Sequence[Instance]) -> pa.Table:
    """Return the pairs of instances, in the order of their lines."""
    pairs = [
        (one.id, link.line.id)
        for instance in instances
        for link in instance.links
        if link.line is not None
        for one in link.postings
    ]
    return _table(sorted(pairs, key=lambda both: both[::-1]), LABELS)


def truth(instances: Sequence[Instance]) -> pa.Table:
    """Return what belongs together, and to which instance."""
    rows = [
        (
            number,
            instance.kind,
            None if link.line is None else link.line.id,
            sorted(one.id for one in link.postings),
        )
        for number, instance in enumerate(instances, 1)
        for link in instance.links
    ]
    return _table(rows, TRUTH)


def statements(seed: int, items: Sequence[Line]) -> tuple[pa.Table, pa.Table]:
    """Return the statements that lines, in the order of booking, stand in, and where each stands."""
    of_day: defaultdict[tuple[str, int], list[Line]] = defaultdict(list)
    for one in items:
        of_day[one.account, day_of(one.booked_at)].append(one)
    closed, places = [], []
    for account in sorted({account for account, _ in of_day}):
        balance = Chance(seed, f"balance/{account}").between(0, 10**9)
        days = sorted(day for name, day in of_day if name == account)
        for sequence, day in enumerate(days, 1):
            booked = of_day[account, day]
            opening, balance = balance, balance + sum(one.amount_minor for one in booked)
            name, closed_at = f"{account}-2026-{sequence:03d}", at(day, CLOSED_S)
            places += [(one.id, name, number) for number, one in enumerate(booked, 1)]
            row = (name, account, booked[0].currency, sequence, opening, balance, len(booked), closed_at)
            closed.append(row)
    return _table(closed, CLOSINGS), _table(places, PLACES)


def rates(found: dict[str, list[int]]) -> pa.Table:
    """Return rates as a table."""
    rows = [
        (currency, FIRST + day, rate) for currency, days in found.items() for day, rate in enumerate(days)
    ]
    return _table(rows, RATES)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = []
    for field, values in zip(schema, columns, strict=True):
        of_numbers = pa.int64() if pa.types.is_timestamp(field.type) else field.type
        if pa.types.is_date(field.type):
            of_numbers = pa.int32()
        arrays.append(pa.array(list(values), of_numbers).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
