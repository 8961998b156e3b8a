"""The same files with every text encrypted: the desk sees tokens where it sees words otherwise."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from pipeline.personal.envelope import DataKey, Place, sealed
from pipeline.personal.tokens import Tokens
from tests.benchmarks.reconciliation_quality.matched import Matched, Run

TEXTS = ("reference", "counterparty", "description")
KEY = DataKey("quality-of-match", 1, bytes(32))


def over_encrypted(run: Run) -> Run:
    """Return a run that is given tables with encrypted texts."""

    def encrypted(postings: pa.Table, lines: pa.Table, labels: pa.Table | None) -> Matched:
        return run(protected(postings), protected(lines), labels)

    return encrypted


def protected(table: pa.Table) -> pa.Table:
    """Return a table with its texts encrypted; those of postings and lines have the same tokens."""
    tokens = Tokens(lambda purpose: hashlib.sha256(purpose.encode()).digest())
    for at, name in enumerate(table.column_names):
        if name in TEXTS:
            place = Place("file", "files", "files.Item", name, "account:any")
            texts = [
                tokens.protected(text, sealed(text, place, KEY, repeatable=True)).text() if text else text
                for text in table[name].to_pylist()
            ]
            table = table.set_column(
                at, table.schema.field(name), pa.array(texts, table.schema.field(name).type)
            )
    return table
