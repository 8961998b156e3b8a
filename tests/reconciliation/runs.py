"""A log of reconciliation items through the vector path, in batches; the row path does what it leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import Run, events_of, merged
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.batch import CLASSES, FIELDS, ReconciliationBatch
from pipeline.domain.reconciliation.stream import Reconciliation, ReconciliationRules

Log = list[tuple[Any, int]]
"""Events, each with the time at which it was recorded, microseconds UTC."""


class Replay:
    """One partition in memory, fed by batches."""

    def __init__(self, rules: ReconciliationRules) -> None:
        self.rows = MemoryRows()
        self.said: list[tuple[str, str, Any]] = []
        self.rejected: list[tuple[Any, str]] = []
        self.in_columns = 0
        """How many events the vector path has applied."""
        self._rows, self._vector = Reconciliation(rules), ReconciliationBatch(rules)

    def apply(self, log: Log) -> None:
        """Apply a batch by columns wherever they can."""
        run, position = run_of(log), 0
        while position < len(log):
            applied, blocks = self._vector.apply(run.slice(position, len(log)), self.rows)
            self.in_columns += applied
            position += applied
            said: list[tuple[int, str, str, Any]] = []
            for block in blocks:
                rows = zip(block.order.tolist(), block.keys.to_pylist(), events_of(block), strict=True)
                said += [(order, block.topic, key, plain(event)) for order, key, event in rows]
            self.said += [rest for _, *rest in sorted(said, key=lambda one: one[0])]  # type: ignore[misc]
            if not applied:
                self.apply_row(*log[position])
                position += 1

    def apply_row(self, event: Any, recorded_at: int) -> None:
        """Apply one event by the row path."""
        out = Outbox()
        try:
            self._rows.apply(event, Arrival(recorded_at, 0, 4), self.rows, out)
        except Reject as reject:
            self.rejected.append((event, reject.code))
        self.said += [[*one] for one in out.items]  # type: ignore[misc]


def plain(event: Any) -> Any:
    """Return an event with its lists as tuples, as the row path makes it."""
    cells = [getattr(event, name) for name in event.__struct_fields__]
    return type(event)(*[tuple(cell) if isinstance(cell, list) else cell for cell in cells])


def run_of(log: Log) -> Run:
    """Return events as the runtime hands them to the vector path."""
    groups = []
    for kind, event in enumerate(CLASSES):
        positions = [place for place, (one, _) in enumerate(log) if type(one) is event]
        names = event.__struct_fields__
        cells = [[getattr(log[place][0], name) for place in positions] for name in names]
        arrays = [pa.array(column, FIELDS[name]) for name, column in zip(names, cells, strict=True)]
        groups.append((kind, np.array(positions, np.int64), pa.RecordBatch.from_arrays(arrays, [*names])))
    recorded_at = np.array([recorded for _, recorded in log], np.int64)
    return merged(groups, FIELDS, recorded_at, 0, 4)
