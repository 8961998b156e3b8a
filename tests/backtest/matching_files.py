"""Small files of postings, bank lines and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

POSTING: dict[str, Any] = {
    "posting_id": "p1",
    "account_id": "nostro",
    "amount_minor": "-1250",
    "currency": "EUR",
    "occurred_at": "2026-03-02T09:30:00Z",
    "reference": "",
}
LINE: dict[str, Any] = {
    "line_id": "l1",
    "account_id": "nostro",
    "amount_minor": "-1250",
    "currency": "EUR",
    "booked_at": "2026-03-03T20:00:00Z",
    "value_date": "2026-03-03",
    "reference": "",
    "description": "",
}


def postings_file(path: Path, *rows: dict[str, Any]) -> Path:
    """Write postings; each row says what differs from an ordinary one."""
    return _written(path, POSTING, "posting_id", rows)


def lines_file(path: Path, *rows: dict[str, Any]) -> Path:
    """Write bank lines; each row says what differs from an ordinary one."""
    return _written(path, LINE, "line_id", rows)


def pairs_file(path: Path, *pairs: tuple[str, str]) -> Path:
    """Write labels: posting and line."""
    path.write_text("\n".join(["posting_id,line_id", *map(",".join, pairs)]) + "\n", "utf-8")
    return path


def _written(path: Path, ordinary: dict[str, Any], name: str, rows: tuple[dict[str, Any], ...]) -> Path:
    full = [{**ordinary, name: f"{name[0]}{number}", **row} for number, row in enumerate(rows, 1)]
    names = list(dict.fromkeys(column for row in full or [ordinary] for column in row))
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(
            pa.table({column: [row.get(column) for row in full] for column in names}), path
        )
        return path
    lines = [",".join(names), *(",".join(str(row.get(one, "")) for one in names) for row in full)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
