"""Blocks of rows of a Parquet or CSV file, columns by name, in bounded memory.

CSV      UTF-8, commas, a line of names; every cell is a text; gzip is unpacked while it is read
Parquet  columns have their types; of texts the different ones are decoded once a page
"""

from __future__ import annotations

import difflib
import gzip
import io
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline.backtest.problems import FileRefused, refused

ROWS_MAX = 20_000_000
BLOCK_ROWS = 50_000
ROW_BYTES_MAX = 1024 * 1024
"""Of a line of CSV, and of a row of Parquet on average, unpacked."""
BYTES_MAX = 32 * 1024**3
"""Of a file, unpacked."""
COLUMNS_MAX = 1_000
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"
_OTHER_DELIMITERS = ";\t|"
_BAD_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_BAD_TEXT = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid UTF8")
"""What Arrow says of a row and of a cell; it counts rows from the line of names on, and columns from 0."""


class Block(NamedTuple):
    """Rows that follow each other."""

    columns: dict[str, Any]
    """Arrow arrays of equal length, of the columns that were asked for and are there."""
    first_row: int
    """Counts from 1."""
    rows: int


class Source:
    """A file of rows."""

    def __init__(self, path: Path, needed: Sequence[str], wanted: Sequence[str] = ()) -> None:
        """`needed`: columns that must be there; `wanted`: those that are read where they are there.

        Raises FileRefused, and OSError.
        """
        self.name = str(path)
        self._path = path
        kind = path.stat().st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # of a directory opening it says more
            raise refused(self.name, "no regular file, and it is read twice: write it to a file first")
        with path.open("rb") as opened:
            start = opened.read(4)
        if not start:
            raise refused(self.name, "the file is empty")
        self._is_parquet, self._is_gzip = start == _PARQUET, start[:2] == _GZIP
        self._needed, self._wanted = needed, wanted
        self._columns: list[str] = []
        """All that are there."""

    def blocks(self) -> Iterator[Block]:
        """Yield all rows. Raises FileRefused for what is not such a file, and where it is too large."""
        batches = self._parquet() if self._is_parquet else self._csv()
        row = 1
        try:
            for batch in batches:
                if row + batch.num_rows > ROWS_MAX + 1:
                    raise refused(self.name, f"more than {ROWS_MAX:,} rows")
                if batch.num_rows:
                    batch.validate(full=True)  # no place beyond a dictionary, no text that is no UTF-8
                    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                    yield Block(columns, row, batch.num_rows)
                row += batch.num_rows
        except (pa.ArrowException, EOFError, UnicodeDecodeError, zlib.error) as error:
            raise self._unreadable(error, row) from error
        except OSError as error:
            if error.errno is not None:  # of the disk; what cannot be unpacked has no number
                raise
            raise self._unreadable(error, row) from error

    def _parquet(self) -> Iterator[Any]:
        try:
            file = pyarrow.parquet.ParquetFile(
                self._path, thrift_string_size_limit=2**24, thrift_container_size_limit=2**20
            )
        except (pa.ArrowException, OSError) as error:
            raise refused(self.name, f"no Parquet file that can be read: {_line(error)}") from error
        schema = file.schema_arrow
        chosen = self._chosen(schema.names)
        about = file.metadata
        if about.num_rows > ROWS_MAX:
            raise refused(self.name, f"more than {ROWS_MAX:,} rows")
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > about.num_rows * ROW_BYTES_MAX + 2**24:
            raise refused(self.name, f"rows of more than {ROW_BYTES_MAX:,} bytes on average")
        for name in chosen:
            if pa.types.is_nested(schema.field(name).type):
                raise refused(self.name, f"is {schema.field(name).type}: one value a row is needed", name)
        texts = [name for name in chosen if _is_text(schema.field(name).type)]
        with pyarrow.parquet.ParquetFile(
            self._path,
            read_dictionary=texts,
            thrift_string_size_limit=2**24,
            thrift_container_size_limit=2**20,
        ) as opened:
            yield from opened.iter_batches(BLOCK_ROWS, columns=chosen, use_threads=False)

    def _csv(self) -> Iterator[Any]:
        bounded = _Bounded(self._raw(), self.name)
        with io.BufferedReader(bounded, ROW_BYTES_MAX) as opened:
            names = self._columns = self._names(opened)
            chosen = self._chosen(names)
            opened.seek(0)
            last = names[-1]
            # The last column is looked at whoever asked for it: a quote that is never closed ends up there.
            kept = dict.fromkeys([*chosen, last])
            reader = pyarrow.csv.open_csv(
                opened,
                read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=ROW_BYTES_MAX),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(kept),
                    column_types={last: pa.binary(), **dict.fromkeys(chosen, pa.string())},
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            rows, end = 0, b""
            for batch in reader:
                rows += batch.num_rows
                if batch.num_rows:
                    end = batch.column(last)[-1].cast(pa.binary()).as_py() or b""
                yield batch.select(chosen)
            if bounded.quotes % 2 and b"\n" in end:
                raise refused(self.name, "a quotation mark is not closed", last, rows)

    def _raw(self) -> Any:
        return gzip.open(self._path) if self._is_gzip else self._path.open("rb")

    def _names(self, opened: BinaryIO) -> list[str]:
        """Return the names of the columns."""
        line = opened.readline(ROW_BYTES_MAX)
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise refused(self.name, "neither Parquet nor CSV in UTF-8") from error
        if "\0" in text:
            raise refused(self.name, "neither Parquet nor CSV")
        try:
            found = pyarrow.csv.read_csv(io.BytesIO(text.rstrip("\r\n").encode() + b"\n"))
        except pa.ArrowException as error:
            raise refused(self.name, f"the line of names cannot be read: {_line(error)}") from error
        return list(found.schema.names)

    def _chosen(self, names: list[str]) -> list[str]:
        """Return the columns that are read. Raises FileRefused where one is missing, or there twice."""
        if len(names) > COLUMNS_MAX:
            raise refused(self.name, f"{len(names):,} columns, at most {COLUMNS_MAX:,}")
        missing = [name for name in self._needed if name not in names]
        if missing:
            near = difflib.get_close_matches(missing[0], names, n=1)
            said = f"; is `{near[0][:64]}` meant to be it?" if near else ""
            other = next((sign for sign in _OTHER_DELIMITERS if len(names) == 1 and sign in names[0]), None)
            if other is not None:
                said = f": columns are divided by {other!r}, and must be by commas"
            there = ", ".join(name[:64] for name in names[:20])
            raise refused(self.name, f"no column {', '.join(missing)}{said} (there are: {there})")
        chosen = [name for name in (*self._needed, *self._wanted) if name in names]
        for name in chosen:
            if names.count(name) > 1:
                raise refused(self.name, f"the column {name} is there {names.count(name)} times")
        return chosen

    def _unreadable(self, error: Exception, row: int) -> FileRefused:
        said = _line(error)
        if (bad := _BAD_TEXT.search(said)) is not None:
            column = self._columns[int(bad[1])]
            return refused(self.name, "no text in UTF-8", column, int(bad[2]) - 1)
        if (bad := _BAD_ROW.search(said)) is not None:
            return refused(self.name, f"has {bad[3]} columns, and must have {bad[2]}", row=int(bad[1]) - 1)
        if "straddling object" in said:
            said = f"a row has more than {ROW_BYTES_MAX:,} bytes, or a quotation mark is not closed"
        return refused(self.name, said, row=None if "ow #" in said else row)


class _Bounded(io.RawIOBase):
    """A file of which no more than BYTES_MAX are read: a few bytes may unpack to any number."""

    def __init__(self, raw: BinaryIO, name: str) -> None:
        super().__init__()
        self._raw, self._name, self._left = raw, name, BYTES_MAX
        self.quotes = 0
        """How many quotation marks were read."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._left, self.quotes = BYTES_MAX, 0
        return self._raw.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        given = self._raw.read(len(buffer))
        self._left -= len(given)
        if self._left < 0:
            raise refused(self._name, f"more than {BYTES_MAX:,} bytes, unpacked")
        self.quotes += given.count(b'"')
        buffer[: len(given)] = given
        return len(given)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
