"""A branch's log through the vector path of the ledger, in batches; the row path does what it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import Run, events_of, merged
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import BROADCAST, record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger, LedgerRules

Said = dict[str, list[tuple[str, Any]]]
"""(key, event) by topic, in order; of balances the last one of each key."""


class Replay:
    """One branch in memory, fed by batches."""

    def __init__(self, partition: int, partitions: int, rules: LedgerRules | None = None) -> None:
        self.rows = MemoryRows()
        self.said: Said = {}
        self.balances: dict[str, Any] = {}
        self.in_columns = 0
        """How many commands the vector path has applied."""
        self._at = partition, partitions
        self._ledger, self._vector = Ledger(rules), LedgerBatch(rules)

    def apply(self, log: list[tuple[Any, int]]) -> None:
        """Apply a batch of (event, time it was recorded) by columns wherever they can."""
        run, position = run_of(log, *self._at), 0
        while position < len(log):
            applied = self.apply_columns(run.slice(position, len(log)))
            position += applied
            if not applied:
                self.apply_row(*log[position])
                position += 1

    def apply_columns(self, run: Run) -> int:
        """Apply the regular commands at the beginning of a run; return how many."""
        applied, blocks = self._vector.apply(run, self.rows)
        self.in_columns += applied
        ordered: dict[str, list[tuple[int, str, Any]]] = {}
        for block in blocks:
            rows = zip(block.order.tolist(), block.keys.to_pylist(), events_of(block), strict=True)
            ordered.setdefault(block.topic, []).extend(rows)
        for topic, rows in ordered.items():
            self._say(topic, ((key, event) for _, key, event in sorted(rows, key=lambda row: row[0])))
        return applied

    def apply_row(self, event: Any, recorded_at: int) -> None:
        """Apply one command by the row path."""
        partition, partitions = self._at
        if partition_of(record_key(event), partitions) != partition and type(event) not in BROADCAST:
            return
        out = Outbox()
        try:
            self._ledger.apply(event, Arrival(recorded_at, partition, partitions), self.rows, out)
        except Reject:
            return
        for topic, key, said in out.items:
            self._say(topic, [(key, said)])

    def _say(self, topic: str, rows: Iterable[tuple[str, Any]]) -> None:
        if topic == "balances":
            self.balances.update(rows)
        else:
            self.said.setdefault(topic, []).extend(rows)


def run_of(log: list[tuple[Any, int]], partition: int, partitions: int) -> Run:
    """Return commands as the runtime hands them to the vector path."""
    kinds: dict[int, list[int]] = {}
    for position, (event, _) in enumerate(log):
        if type(event) in LedgerBatch.classes and partition_of(record_key(event), partitions) == partition:
            kinds.setdefault(LedgerBatch.classes.index(type(event)), []).append(position)
    groups = []
    for kind, positions in kinds.items():
        names = [name for name in LedgerBatch.classes[kind].__struct_fields__ if name in LedgerBatch.fields]
        cells = {name: [getattr(log[position][0], name) for position in positions] for name in names}
        arrays = [pa.array(cells[name], LedgerBatch.fields[name]) for name in names]
        groups.append((kind, np.array(positions), pa.RecordBatch.from_arrays(arrays, names)))
    recorded_at = np.array([recorded for _, recorded in log], np.int64)
    return merged(groups, LedgerBatch.fields, recorded_at, partition, partitions)
