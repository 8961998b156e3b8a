"""A log through a stream's rules, by rows or by columns in batches: what it says and what it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import Block, Passed, Run, events_of, merged
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.runtime.kafka.topics import COMPACTED

PARTITION, PARTITIONS = 0, 4

Log = list[tuple[Any, int]]
"""(event, time it was recorded), microseconds UTC."""


class Replay:
    """One partition in memory."""

    def __init__(self, rules: Any) -> None:
        self.rows = MemoryRows()
        self.said: dict[str, list[tuple[str, Any]]] = {}
        """(key, event) by topic, in order; a record passed on has its event, and no key."""
        self.latest: dict[str, dict[str, Any]] = {}
        """The last event of each key, by compacted topic."""
        self.in_columns = 0
        """How many events the vector path has applied."""
        self.rejected: list[str] = []
        self.offset = 0
        """Of the next record."""
        self._rules = rules

    def by_rows(self, log: Log) -> None:
        """Apply events one by one."""
        for event, recorded_at in log:
            out, at = Outbox(), Arrival(recorded_at, PARTITION, PARTITIONS, self.offset)
            self.offset += 1
            try:
                self._rules.apply(event, at, self.rows, out)
            except Reject as reject:
                self.rejected.append(reject.code)
                continue
            for topic, key, said in out.items:
                self._say(topic, [(key, event if said is None else said)])

    def by_columns(self, vector: Any, log: Log) -> None:
        """Apply a batch by columns wherever they can."""
        run, position = run_of(vector, log), 0
        while position < len(log):
            applied, said = vector.apply(run.slice(position, len(log)), self.rows)
            self._say_parts(said, log[position:])
            self.in_columns += applied
            position += applied
            self.offset += applied
            if not applied:
                self.by_rows([log[position]])
                position += 1

    def _say_parts(self, parts: list[Block | Passed], log: Log) -> None:
        ordered: dict[str, list[tuple[int, str, Any]]] = {}
        for part in parts:
            if isinstance(part, Passed):
                events = [log[position][0] for position in part.positions.tolist()]
                keys = [""] * len(events)
            else:
                events, keys = list(map(_plain, events_of(part))), part.keys.to_pylist()
            rows = zip(part.order.tolist(), keys, events, strict=True)
            ordered.setdefault(part.topic, []).extend(rows)
        for topic, found in ordered.items():
            self._say(topic, [(key, event) for _, key, event in sorted(found, key=lambda row: row[0])])

    def _say(self, topic: str, said: Iterable[tuple[str, Any]]) -> None:
        if topic in COMPACTED:
            self.latest.setdefault(topic, {}).update(said)
        else:
            self.said.setdefault(topic, []).extend(said)


def _plain(event: Any) -> Any:
    """Return an event whose arrays are tuples of Structs, as the row path emits them."""
    return msgspec.convert(msgspec.to_builtins(event), type(event))


def run_of(vector: Any, log: Log) -> Run:
    """Return events as the runtime hands them to the vector path."""
    kinds: dict[int, list[int]] = {}
    for position, (event, _) in enumerate(log):
        if type(event) in vector.classes:
            kinds.setdefault(vector.classes.index(type(event)), []).append(position)
    groups = []
    for kind, positions in kinds.items():
        names = [name for name in vector.classes[kind].__struct_fields__ if name in vector.fields]
        cells = {name: [getattr(log[position][0], name) for position in positions] for name in names}
        arrays = [pa.array(cells[name], vector.fields[name]) for name in names]
        groups.append((kind, np.array(positions), pa.RecordBatch.from_arrays(arrays, names)))
    recorded_at = np.array([recorded for _, recorded in log], np.int64)
    return merged(groups, vector.fields, recorded_at, PARTITION, PARTITIONS)
