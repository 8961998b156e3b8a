"""The public set of bank transfers of splink, where a user has its two files: known pairs, no references.

Left is taken for the books, right for the bank: 45,326 rows each, one of each for a `ground_truth`, with a
memo, a date and an amount. The files are not part of the project.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.tables import LINES, POSTINGS, TIME, TRUTH
from tests.benchmarks.reconciliation_quality.measures import Files

COLUMNS = ("ground_truth", "memo", "transaction_date", "amount", "unique_id")
POSTED_HOUR, BOOKED_HOUR = 8, 20
"""The files have dates alone: of a day postings come first."""
LABELLED = 200
"""In thousandths of the pairs."""


def public_pairs(left: Path, right: Path) -> Files:
    """Return the files of the public set. Raises ValueError for columns that are missing."""
    ours, theirs = (_read(path) for path in (left, right))
    pairs = ours.select(["ground_truth", "id"]).join(
        theirs.select(["ground_truth", "id"]), "ground_truth", join_type="inner", right_suffix="_line"
    )
    pairs = pairs.sort_by("id_line")
    chance = Chance(1, "public labels")
    known = pa.array([chance.happens(LABELLED) for _ in range(pairs.num_rows)])
    paired = {*pairs["id_line"].to_pylist()}
    alone = [line_id for line_id in theirs["id"].to_pylist() if line_id not in paired]
    rows = [
        *zip(pairs["id_line"].to_pylist(), ([one] for one in pairs["id"].to_pylist()), strict=True),
        *((line_id, []) for line_id in alone),
    ]
    truth = [(number, "pair" if ours else "alone", line, ours) for number, (line, ours) in enumerate(rows, 1)]
    labelled = pairs.filter(known)
    return Files(
        _postings(ours),
        _lines(theirs),
        pa.table({"posting_id": labelled["id"], "line_id": labelled["id_line"]}),
        pa.Table.from_arrays(
            [
                pa.array(column, kind.type)
                for column, kind in zip(zip(*truth, strict=True), TRUTH, strict=True)
            ],
            schema=TRUTH,
        ),
    )


def _read(path: Path) -> pa.Table:
    table = pq.read_table(path)
    missing = [name for name in COLUMNS if name not in table.schema.names]
    if missing:
        raise ValueError(f"{path.name}: columns are missing: {', '.join(missing)}")
    table = table.select(COLUMNS).sort_by([("transaction_date", "ascending"), ("unique_id", "ascending")])
    texts = pc.utf8_lpad(table["unique_id"].cast(pa.string()), 6, "0")
    return table.append_column("id", texts)


def _minor(table: pa.Table) -> pa.ChunkedArray:
    return pc.round(pc.multiply(table["amount"], 100)).cast(pa.int64())


def _at(table: pa.Table, hour: int) -> pa.ChunkedArray:
    days = table["transaction_date"].cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    return pc.add(pc.multiply(days, 86_400_000_000), hour * 3_600_000_000).cast(TIME)


def _all(table: pa.Table, text: str | None) -> pa.Array:
    return pa.array([text] * table.num_rows, pa.string())


def _postings(table: pa.Table) -> pa.Table:
    """The memo is all that is known."""
    columns = [
        table["id"],
        _all(table, "public"),
        _minor(table),
        _all(table, "EUR"),
        _at(table, POSTED_HOUR),
        _all(table, None),
        _all(table, None),
        table["memo"],
    ]
    return pa.Table.from_arrays(columns, schema=POSTINGS)


def _lines(table: pa.Table) -> pa.Table:
    columns = [
        table["id"],
        _all(table, "public"),
        _minor(table),
        _all(table, "EUR"),
        _at(table, BOOKED_HOUR),
        table["transaction_date"].cast(pa.date32()),
        _all(table, None),
        table["memo"],
    ]
    return pa.Table.from_arrays(columns, schema=LINES)
