"""For tests of the measures: files made by hand, and what an oracle, shuffled or not, says of any."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tests.benchmarks.reconciliation_data.kinds import KINDS
from tests.benchmarks.reconciliation_data.tables import LABELS, LINES, POSTINGS, TRUTH
from tests.benchmarks.reconciliation_quality.matched import (
    CONFIRMED,
    SUGGESTED,
    Break,
    Matched,
    Result,
    Run,
    matched,
)
from tests.benchmarks.reconciliation_quality.measures import Files

DAY = 86_400_000_000


def by_hand(
    truth: Sequence[tuple[str, str | None, list[str]]], labels: Sequence[tuple[str, str]] = ()
) -> Files:
    """Return files of rows (kind/instance, line, postings): `P3` came on day 3, `L4b` on day 4."""
    names = list(dict.fromkeys(name for name, _, _ in truth))
    rows = [(names.index(name) + 1, name.split("/")[0], line, ours) for name, line, ours in truth]
    postings = dict.fromkeys(one for _, _, ours in truth for one in ours)
    lines = [line for _, line, _ in truth if line is not None]
    booked = [(one, "a", 100, "EUR", day_of(one) * DAY, day_of(one), None, "") for one in lines]
    posted = [(one, "a", 100, "EUR", day_of(one) * DAY, None, "", "") for one in postings]
    return Files(_table(posted, POSTINGS), _table(booked, LINES), _table(labels, LABELS), _table(rows, TRUTH))


def day_of(item: str) -> int:
    """Return the day that stands in the id of an item."""
    return int("".join(filter(str.isdigit, item)))


def confirmed(line: str | None, *postings: str, day: int = 9) -> Result:
    """Return a confirmed result of a day."""
    return Result(line, postings, "SCORED", CONFIRMED, 5_000, day * DAY)


def suggested(line: str, *postings: str, score: int = 1_000) -> Result:
    """Return a suggested result."""
    return Result(line, postings, "SCORED", SUGGESTED, score, 9 * DAY)


def opened(item: str, kind: str, day: int = 9, resolved: int | None = None) -> Break:
    """Return a break."""
    return Break(item, kind, day * DAY, None if resolved is None else resolved * DAY)


def oracle(files: Files, shift: int = 0) -> Run:
    """Return a run that knows the truth: matches at once, suggests what nobody can know, names each kind.

    `shift`: take the postings of the row so many rows on instead.
    """
    rows = files.truth.to_pylist()
    came = _times(files.postings, "posting_id", "occurred_at") | _times(files.lines, "line_id", "booked_at")

    def run(postings: pa.Table, lines: pa.Table, labels: pa.Table | None) -> Matched:
        results, breaks = [], []
        for place, row in enumerate(rows):
            kind = KINDS.get(row["kind"])
            line, ours = row["line_id"], rows[(place + shift) % len(rows)]["posting_ids"]
            at = max(came[one] for one in (line, *row["posting_ids"]) if one is not None)
            nets = row["kind"].startswith("reversal")
            if nets or (line is not None and ours):
                outcome = SUGGESTED if kind is not None and not kind.confirmable else CONFIRMED
                results.append(Result(line, tuple(ours), "ORACLE", outcome, 1, at))
            if kind is not None and kind.names:
                breaks.append(Break(line or row["posting_ids"][0], min(kind.names), at, None))
        return matched(results, breaks)

    return run


def _times(table: pa.Table, item: str, time: str) -> dict[str, int]:
    return dict(zip(table[item].to_pylist(), table[time].cast(pa.int64()).to_pylist(), strict=True))


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    arrays = []
    for place, field in enumerate(schema):
        plain = {"timestamp[us, tz=UTC]": pa.int64(), "date32[day]": pa.int32()}.get(
            str(field.type), field.type
        )
        arrays.append(pa.array([row[place] for row in rows], plain).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
