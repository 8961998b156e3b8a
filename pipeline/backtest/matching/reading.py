"""Files of postings, bank lines and labels become tables. Every row is checked."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest import values
from pipeline.backtest.blocks import Block, Source
from pipeline.backtest.matching import cells
from pipeline.backtest.problems import refused
from pipeline.backtest.values import Place, Words, check_currency, check_id
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

ITEMS_MAX = 1_000_000
"""Of a file: postings, or lines. They need some 2.5 kB each in memory."""
POSTING_COLUMNS = ("posting_id", "account_id", "amount_minor", "currency", "occurred_at", "reference")
POSTING_OPTIONS = ("counterparty", "description")
LINE_COLUMNS = (
    *("line_id", "account_id", "amount_minor", "currency", "booked_at", "value_date"),
    *("reference", "description"),
)
LABEL_COLUMNS = ("posting_id", "line_id")
_ROWS = 8_192
"""Rows that are Python objects at once."""


class Row(NamedTuple):
    """A posting or a line, as its file has it."""

    at_us: int
    """When it was posted or booked, microseconds UTC."""
    is_line: bool
    item_id: str
    account_id: str
    minor: int
    """A credit is positive."""
    currency: str
    value_day: int
    """Days since 1970-01-01."""
    reference: str | None
    counterparty: str | None
    description: str | None

    @property
    def booked_day(self) -> int:
        """Days since 1970-01-01."""
        return self.at_us // MICROSECONDS_PER_DAY


class Label(NamedTuple):
    """A pair that a person has confirmed."""

    posting_id: str
    line_id: str


class Files(NamedTuple):
    """Postings and lines, each in the order of time."""

    postings: Any
    """Arrow tables with the fields of Row."""
    lines: Any

    def __len__(self) -> int:
        return int(self.postings.num_rows + self.lines.num_rows)

    def rows(self) -> Iterator[Row]:
        """Yield all of them in the order of time; of one moment postings come first."""
        both = (_rows_of(self.postings, False), _rows_of(self.lines, True))
        return heapq.merge(*both, key=attrgetter("at_us", "is_line"))


def read_files(postings: Path, lines: Path) -> Files:
    """Return the items of two files. Raises FileRefused with row and column, and OSError."""
    return Files(_read(postings, False), _read(lines, True))


def read_labels(path: Path, files: Files) -> list[Label]:
    """Return the labels of a file. Raises FileRefused with row and column, and OSError.

    Refused are ids that are in neither file, items of two accounts, and a pair that is there twice.
    """
    source = Source(path, LABEL_COLUMNS)
    found: dict[Label, int] = {}
    accounts = {
        name: dict(zip(table["item_id"].to_pylist(), table["account_id"].to_pylist(), strict=True))
        for name, table in zip(LABEL_COLUMNS, files, strict=True)
    }
    for block in source.blocks():
        place = {name: Place(source.name, name, block.first_row) for name in LABEL_COLUMNS}
        columns = [values.ids(block.columns[name], place[name]).to_pylist() for name in LABEL_COLUMNS]
        for offset, ids in enumerate(zip(*columns, strict=True)):
            label = Label(*ids)
            for name, one in zip(LABEL_COLUMNS, label, strict=True):
                if one not in accounts[name]:
                    place[name].fail(offset, f"{values.shown(one)} is not in the file of {name[:-3]}s")
            posting, line = (accounts[name][one] for name, one in zip(LABEL_COLUMNS, label, strict=True))
            if posting != line:
                place["line_id"].fail(offset, "the line is of another account than the posting")
            if label in found:
                place["line_id"].fail(offset, f"the pair is in row {found[label]:,} already")
            found[label] = block.first_row + offset
    if not found:
        raise refused(source.name, "no labels")
    return list(found)


def _read(path: Path, is_line: bool) -> Any:
    source = Source(path, LINE_COLUMNS if is_line else POSTING_COLUMNS, () if is_line else POSTING_OPTIONS)
    accounts, currencies = Words(check_id), Words(check_currency)
    parts: list[Any] = []
    rows = 0
    for block in source.blocks():
        rows += block.rows
        if rows > ITEMS_MAX:
            raise refused(source.name, f"more than {ITEMS_MAX:,} rows")
        parts.append(_checked(block, source.name, is_line, accounts, currencies))
    if not parts:
        raise refused(source.name, "no lines" if is_line else "no postings")
    table = pa.concat_tables(parts)
    for name, words in (("account_id", accounts), ("currency", currencies)):
        numbers = table[name].combine_chunks()
        coded = pa.DictionaryArray.from_arrays(numbers, pa.array(words.words(), pa.string()))
        table = table.set_column(table.schema.get_field_index(name), name, coded)
    values.check_once(table["item_id"].combine_chunks(), source.name, LABEL_COLUMNS[is_line])
    # The sort keeps the order of the file among rows of one moment.
    order = np.argsort(table["at_us"].to_numpy(), kind="stable")
    return table.take(pa.array(order))


def _checked(block: Block, file: str, is_line: bool, accounts: Words, currencies: Words) -> Any:
    def at(name: str) -> tuple[Any, Place]:
        return block.columns[name], Place(file, name, block.first_row)

    def text(name: str) -> Any:
        if name in block.columns:
            return cells.texts(*at(name))
        return pa.nulls(block.rows, pa.large_string())

    when = cells.times_or_dates(*at("booked_at")) if is_line else cells.moments(*at("occurred_at"))
    booked = when // MICROSECONDS_PER_DAY
    return pa.table(
        {
            "at_us": when,
            "item_id": values.ids(*at(LABEL_COLUMNS[is_line])),
            "account_id": accounts.numbers(*at("account_id")).astype(np.int32),
            "minor": cells.signed_amounts(*at("amount_minor")),
            "currency": currencies.numbers(*at("currency")).astype(np.int32),
            "value_day": cells.days(*at("value_date"), booked) if is_line else booked,
            "reference": text("reference"),
            "counterparty": text("counterparty"),
            "description": text("description"),
        }
    )


def _rows_of(table: Any, is_line: bool) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=_ROWS):
        when, *others = (column.to_pylist() for column in batch.columns)
        for at_us, *cells_of_row in zip(when, *others, strict=True):
            yield Row(at_us, is_line, *cells_of_row)


def totals(table: Any) -> dict[str, int]:
    """Return the sum of the absolute amounts by currency."""
    found: dict[str, int] = {}
    size = pc.abs(table["minor"])
    for currency, minor in zip(table["currency"].to_pylist(), size.to_pylist(), strict=True):
        found[currency] = found.get(currency, 0) + minor
    return found
