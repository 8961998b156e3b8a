"""The outputs of a run of the invariants: the totals of its clearing accounts, as columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.invariants.rows import (
    CLEARING_COLUMNS,
    CLEARING_PREFIX,
    CLEARING_ROW,
    COUNTERS,
    HOUR_US,
    HOURS,
)
from pipeline.domain.invariants.stream import TOTALS
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Block, Run, joined, numpy_of
from pipeline.domain.kernel.layouts import fixed_rows
from pipeline.domain.kernel.rows import PrefetchingRows

POSTING = 0
"""The kind of a posting in a run, as `batch.CLASSES` numbers them."""


def totals_blocks(run: Run, rows: PrefetchingRows) -> list[Block]:
    """Add postings to the totals of their clearing accounts; return the new totals as events."""
    clearing = pc.starts_with(run.columns["account_id"], CLEARING_PREFIX)
    at = np.flatnonzero(numpy_of(clearing) & (run.kinds == POSTING))
    if not len(at):
        return []
    taken = pa.array(at)
    hour = numpy_of(run.columns["occurred_at"])[at] // HOUR_US % HOURS
    hours = pa.array(hour).cast(pa.string())
    names = [run.columns[name].take(taken) for name in ("tenant_id", "account_id")]
    encoded = joined("\0", "c", *names, hours).dictionary_encode()
    keys, group = encoded.dictionary.cast(pa.binary()).to_pylist(), numpy_of(encoded.indices)
    table = np.zeros(len(keys), CLEARING_COLUMNS)
    table["layout"] = CLEARING_ROW.layout
    found = rows.get_many(keys)
    known = np.array([row is not None for row in found])
    table[known] = fixed_rows(CLEARING_ROW, [row for row in found if row is not None], CLEARING_COLUMNS)
    amount = numpy_of(run.columns["amount_minor"])[at]
    debit = numpy_of(pc.equal(run.columns["side"].take(taken), "DEBIT"))
    for name, chosen in (("debits", debit), ("credits", ~debit)):
        np.add.at(table[name], group[chosen], 1)
        np.add.at(table[f"{name}_minor"], group[chosen], amount[chosen])
    packed, width = table.tobytes(), CLEARING_COLUMNS.itemsize
    rows.put_many((key, packed[n * width : (n + 1) * width]) for n, key in enumerate(keys))
    last = np.zeros(len(keys), np.int64)
    last[group] = np.arange(len(group))
    return [_block(run, table, hour[last], at[last])]


def _block(run: Run, table: np.ndarray, hour: np.ndarray, at: np.ndarray) -> Block:
    """Return the totals as events, each caused by the last posting that it counts."""
    names = ("event_id", "tenant_id", "occurred_at", "correlation_id", "account_id", "currency")
    columns = {name: run.columns[name].take(pa.array(at)) for name in names}
    in_order = np.argsort(at)
    fields = {
        "event_id": joined("", columns["event_id"], ":counted"),
        **{name: columns[name] for name in ("tenant_id", "occurred_at", "correlation_id")},
        "causation_id": columns["event_id"],
        **{name: columns[name] for name in ("account_id", "currency")},
        "branch": pa.array(np.full(len(at), run.partition, np.int32)),
        "hour": pa.array(hour.astype(np.int32)),
        **{name: pa.array(np.ascontiguousarray(table[name])) for name in COUNTERS},
    }
    keys = joined("/", columns["tenant_id"], columns["account_id"], fields["hour"].cast(pa.string()))
    taken = pa.array(in_order)
    return Block(
        TOTALS,
        ev.ClearingCounted,
        at[in_order],
        keys.take(taken),
        {name: column.take(taken) for name, column in fields.items()},
    )
