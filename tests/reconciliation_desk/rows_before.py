"""Rows that the stream before the desk has written, as the desk finds them when it is first started on them.

`rows_of_c798167.msgpack.xz` has them (README.md).
"""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

import msgspec

from pipeline.domain.kernel.rows import MemoryRows

FILE = Path(__file__).parent / "rows_of_c798167.msgpack.xz"
Table = list[tuple[bytes, bytes]]
"""Keys and values in the order in which they were first written."""


class _Kept(msgspec.Struct):
    ledgers: dict[str, Table]
    """By the text of the entries (`Entries`) of which that stream made them; a tick is an empty statement of
    another currency here."""
    random: list[Table]
    """Of logs with few amounts, references and numbers; the smallest first, none empty."""


@cache
def _kept() -> _Kept:
    return msgspec.msgpack.decode(lzma.decompress(FILE.read_bytes()), type=_Kept)


def rows_of(table: Table) -> MemoryRows:
    """Return a copy of a table, to be changed by the caller."""
    rows = MemoryRows()
    rows.data = dict(table)
    return rows


def before(ledger: str) -> MemoryRows:
    """Return the rows of the account acme/nostro after a ledger. Raises KeyError if none are kept of it."""
    return rows_of(_kept().ledgers[ledger])


def random_tables() -> list[Table]:
    """Return the rows of acme/nostro after each of 200 random logs."""
    return _kept().random
