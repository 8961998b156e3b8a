"""Small files of payments and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

ORDINARY: dict[str, Any] = {
    "payment_id": "p1",
    "debtor_account_id": "alice",
    "creditor_account_id": "bob",
    "amount_minor": "1250",
    "currency": "EUR",
    "occurred_at": "2026-03-01T09:30:00Z",
}


def csv_file(path: Path, *rows: dict[str, Any], without: Sequence[str] = ()) -> Path:
    """Write payments as CSV; each row says what differs from an ordinary payment."""
    full = [{**ORDINARY, "payment_id": f"p{number}", **row} for number, row in enumerate(rows, 1)]
    names = list(dict.fromkeys(name for row in full or [ORDINARY] for name in row if name not in without))
    lines = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in full)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def parquet_file(path: Path, *rows: dict[str, Any], **types: Any) -> Path:
    """Write payments as Parquet, with types for some of the columns."""
    full = [
        {**ORDINARY, "amount_minor": 1250, "payment_id": f"p{number}", **row}
        for number, row in enumerate(rows, 1)
    ]
    names = list(dict.fromkeys(name for row in full for name in row))
    columns = {name: pa.array([row.get(name) for row in full], types.get(name)) for name in names}
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def labels_file(path: Path, *rows: tuple[str, str, str]) -> Path:
    """Write labels as CSV."""
    path.write_text("\n".join(["payment_id,label,labelled_at", *map(",".join, rows)]) + "\n", "utf-8")
    return path
