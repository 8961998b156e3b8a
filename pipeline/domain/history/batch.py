"""The batch path of the history: applies a run of postings and holds at once, as `stream.apply` does.

    Run -> accounts numbered, their heads read -> lines sorted by account, in the order of the log
        -> line numbers, amounts held, booking times: running values within each account
        -> rows of lines; zones: sums over 32 lines each; heads

An event that the row path would reject, or look at the past for, ends the run and is left to the row path.
A property test compares both paths.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.history.rows import (
    EMPTY_ZONE,
    HEAD_COLUMNS,
    HEAD_ROW,
    KINDS,
    LINE_COLUMNS,
    LINE_ROW,
    ZONE,
    Zone,
    fold,
    pack_zone,
    unpack_head,
)
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined, numpy_of, strings_of_width
from pipeline.domain.kernel.layouts import fixed_rows
from pipeline.domain.kernel.rows import PrefetchingRows

CLASSES = (ev.PostingRecorded, ev.HoldRecorded)
POSTING, HOLD = range(len(CLASSES))
FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "account_id", "account_type", "currency"), pa.string()),
    **dict.fromkeys(("correlation_id", "posting_id", "entry_id", "payment_id", "reference"), pa.string()),
    "journal_id": pa.string(),
    **dict.fromkeys(("side", "change", "hold_id"), pa.string()),
    **dict.fromkeys(("occurred_at", "effective_at", "booked_at", "amount_minor"), pa.int64()),
    **dict.fromkeys(("balance_minor_after", "balance_minor", "held_minor_after"), pa.int64()),
    "lowest_balance_minor": pa.int64(),
}


class HistoryBatch:
    """Applies runs of postings and holds to the rows of one partition; holds no state of its own."""

    classes = CLASSES
    fields = FIELDS

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the events up to the first irregular one; return how many. There are no outputs."""
        columns = run.columns
        kinds = pc.index_in(pc.coalesce(columns["side"], columns["change"]), pa.array(KINDS))
        irregular = (run.kinds == OTHER) | numpy_of(pc.is_null(kinds))
        irregular |= numpy_of(columns["amount_minor"], 0) <= 0
        irregular |= numpy_of(columns["held_minor_after"], 0) < 0
        irregular |= numpy_of(pc.is_valid(columns["lowest_balance_minor"]))  # back-dated: looked at by rows
        length = int(np.argmax(np.append(irregular, True)))
        if length:
            _write(_lines(run.slice(0, length), numpy_of(kinds[:length]), rows), rows)
        return length, []


class _Lines(NamedTuple):
    """The lines of a run, account by account, and the heads of their accounts.

    Arrays have one element for each line, in this order, if not stated otherwise.
    """

    fixed: np.ndarray
    """LINE_COLUMNS."""
    number: np.ndarray
    starts: np.ndarray
    """Where the lines of each account start; one element for each account, as in the three after it."""
    heads: np.ndarray
    """HEAD_COLUMNS; their open zones do not include these lines yet."""
    higher: list[list[Zone]]
    """By account, the open zones of every level; that of level 1 is a placeholder, the real one is in
    `heads`."""
    head_keys: list[bytes]
    columns: dict[str, pa.Array]
    """The text columns, in the order of the lines."""


def _lines(run: Run, kinds: np.ndarray, rows: PrefetchingRows) -> _Lines:
    """Compute the lines of a run; read the heads of its accounts."""
    encoded = joined("\0", "h", run.columns["tenant_id"], run.columns["account_id"]).dictionary_encode()
    order = np.argsort(numpy_of(encoded.indices), kind="stable")
    account = numpy_of(encoded.indices)[order]
    starts = np.flatnonzero(np.diff(account, prepend=-1))
    first = np.zeros(len(order), bool)
    first[starts] = True
    columns = dict(
        zip(FIELDS, pa.RecordBatch.from_pydict(run.columns).select(list(FIELDS)).take(order).columns,
            strict=True)
    )  # fmt: skip
    keys = encoded.dictionary.cast(pa.binary()).to_pylist()
    heads, higher = _heads(keys, {name: columns[name].take(starts) for name in ("account_type", "currency")},
                           rows)  # fmt: skip

    is_posting = run.kinds[order] == POSTING
    amount = numpy_of(columns["amount_minor"], 0)
    credit = numpy_of(pc.equal(columns["side"], "CREDIT"), False)
    held_after = _filled(columns["held_minor_after"], heads["held_minor"][account], first)
    booked_at = np.where(
        numpy_of(pc.is_null(columns["booked_at"])), run.recorded_at[order], numpy_of(columns["booked_at"], 0)
    )
    fixed = np.zeros(len(order), LINE_COLUMNS)
    fixed["layout"] = LINE_ROW.layout
    fixed["kind"] = kinds[order]
    payment = pc.coalesce(columns["payment_id"], columns["hold_id"], columns["journal_id"])
    fixed["no_payment"] = numpy_of(pc.is_null(payment))
    fixed["no_reference"] = numpy_of(pc.is_null(columns["reference"]))
    fixed["correlation_bytes"] = numpy_of(pc.binary_length(columns["correlation_id"]))
    fixed["booked_at"] = _never_decreasing(booked_at, starts, heads["booked_at"])
    fixed["effective_at"] = numpy_of(pc.coalesce(columns["effective_at"], columns["occurred_at"]), 0)
    fixed["posted"] = np.where(is_posting, np.where(credit, amount, -amount), 0)
    fixed["held"] = held_after - _before(held_after, heads["held_minor"], starts)
    fixed["balance_minor"] = np.where(
        is_posting, numpy_of(columns["balance_minor_after"], 0), numpy_of(columns["balance_minor"], 0)
    )
    fixed["held_minor"] = held_after
    number = heads["lines"][account] + np.arange(len(order)) - starts[account]
    columns |= {
        "record_id": pc.coalesce(columns["posting_id"], columns["event_id"]),
        "entry_id": pc.fill_null(columns["entry_id"], ""),
        "payment_id": pc.fill_null(payment, ""),
        "reference": pc.fill_null(columns["reference"], ""),
    }
    return _Lines(fixed, number, starts, heads, higher, keys, columns)


def _heads(
    keys: list[bytes], new: dict[str, pa.Array], rows: PrefetchingRows
) -> tuple[np.ndarray, list[list[Zone]]]:
    """Read heads; `new` has type and currency of accounts without a head. Raises UnreadableRow."""
    found = rows.get_many(keys)
    table = np.zeros(len(keys), HEAD_COLUMNS)
    table["layout"] = HEAD_ROW.layout
    table["account_type"] = numpy_of(pc.index_in(new["account_type"], pa.array(ACCOUNT_TYPES)))
    table["currency"] = [currency.encode() for currency in new["currency"].to_pylist()]
    table["booked_at"] = -(2**63)
    table["earliest"], table["latest"] = EMPTY_ZONE.earliest, EMPTY_ZONE.latest
    known = np.array([row is not None for row in found])
    width = HEAD_COLUMNS.itemsize
    table[known] = fixed_rows(HEAD_ROW, [row for row in found if row is not None], HEAD_COLUMNS)
    higher = [
        [EMPTY_ZONE]
        if row is None or (len(row) == width and row[0] == HEAD_ROW.layout)
        else [EMPTY_ZONE, *unpack_head(row).open[1:]]
        for row in found
    ]
    return table, higher


def _filled(column: pa.Array, before: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return a column whose nulls are the previous value of the account, `before` for its first one."""
    missing = numpy_of(pc.is_null(column))
    values = np.where(missing, before, numpy_of(column, 0))
    if not missing.any():
        return values
    place = np.where(missing & ~first, 0, np.arange(len(values)))
    found: np.ndarray = values[np.maximum.accumulate(place)]
    return found


def _before(values: np.ndarray, heads: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the previous value of each element in its account, that of the head for the first one."""
    above = np.empty_like(values)
    above[1:] = values[:-1]
    above[starts] = heads
    return above


def _never_decreasing(times: np.ndarray, starts: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Return the latest time so far in the account, for each time; nearly always it is that time itself."""
    late = np.flatnonzero(times < _before(times, heads, starts))
    ends = np.append(starts, len(times))
    for account in np.unique(np.searchsorted(starts, late, "right") - 1).tolist():
        part = slice(ends[account], ends[account + 1])
        times[part] = np.maximum(np.maximum.accumulate(times[part]), heads[account])
    return times


def _write(lines: _Lines, rows: PrefetchingRows) -> None:
    """Write lines, zones and heads."""
    columns, fixed = lines.columns, lines.fixed
    names = (columns["tenant_id"], columns["account_id"])
    line_keys = joined("\0", "l", *names, _hexadecimal(lines.number))
    texts = joined("\0", *(columns[name] for name in ("record_id", "entry_id", "payment_id")), "")
    free = joined("", columns["correlation_id"], columns["reference"])
    values = pc.binary_join_element_wise(
        _binary(fixed), texts.cast(pa.binary()), free.cast(pa.binary()), pa.scalar(b"", pa.binary())
    )
    rows.put_many(zip(line_keys.cast(pa.binary()).to_pylist(), values.to_pylist(), strict=True))
    zones = _zones(lines)
    rows.put_many(zones)
    heads, last = lines.heads, np.append(lines.starts, len(fixed))[1:] - 1
    heads["lines"] = lines.number[last] + 1
    for name in ("booked_at", "balance_minor", "held_minor"):
        heads[name] = fixed[name][last]
    packed, width = heads.tobytes(), HEAD_COLUMNS.itemsize
    rows.put_many(
        (
            key,
            packed[place * width : (place + 1) * width] + b"".join(pack_zone(zone)[1:] for zone in more[1:]),
        )
        for place, (key, more) in enumerate(zip(lines.head_keys, lines.higher, strict=True))
    )


def _zones(lines: _Lines) -> list[tuple[bytes, bytes]]:
    """Return the rows of the full zones; put the open zones into the heads."""
    fixed, number, starts, heads = lines.fixed, lines.number, lines.starts, lines.heads
    begins = number % ZONE == 0
    begins[starts] = True
    parts = np.flatnonzero(begins)
    last = np.append(parts, len(number))[1:] - 1
    account = np.searchsorted(starts, parts, "right") - 1
    sums = {
        "earliest": np.minimum.reduceat(fixed["effective_at"], parts),
        "latest": np.maximum.reduceat(fixed["effective_at"], parts),
        "posted": np.add.reduceat(fixed["posted"], parts),
        "held": np.add.reduceat(fixed["held"], parts),
    }
    goes_on = np.searchsorted(parts, starts)
    for name, join in (
        ("earliest", np.minimum),
        ("latest", np.maximum),
        ("posted", np.add),
        ("held", np.add),
    ):
        sums[name][goes_on] = join(sums[name][goes_on], heads[name])
    full = number[last] % ZONE == ZONE - 1
    ends = np.append(goes_on, len(parts))[1:] - 1
    for name, nothing in zip(Zone._fields, EMPTY_ZONE, strict=True):
        heads[name] = np.where(full[ends], nothing, sums[name][ends])
    found = []
    at = np.flatnonzero(full)
    cells = zip(
        account[at].tolist(), number[last[at]].tolist(), *(sums[name][at].tolist() for name in Zone._fields),
        strict=True,
    )  # fmt: skip
    for place, end, *values in cells:
        _, tenant_id, account_id = lines.head_keys[place].split(b"\0")
        zone = Zone(*values)
        for level, which, one in [(1, end // ZONE, zone), *fold(lines.higher[place], 1, zone, end + 1)]:
            key = b"z\0%b\0%b\0%d\0%010x" % (tenant_id, account_id, level, which)
            found.append((key, pack_zone(one)))
    return found


_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


def _hexadecimal(numbers: np.ndarray) -> pa.Array:
    """Return numbers as ten hexadecimal digits, as in the keys of lines."""
    return strings_of_width(_DIGITS[numbers[:, None] >> np.arange(36, -1, -4) & 15])


def _binary(table: np.ndarray) -> pa.Array:
    """Return the rows of a structured array as bytes."""
    kind = pa.binary(table.itemsize)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(table), [None, pa.py_buffer(table)]).cast(
        pa.binary()
    )
