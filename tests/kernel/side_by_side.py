"""A log through a stream, by rows and by batches, side by side: both must give and leave the same.

`Replay` is one partition in memory. `assert_alike` applies a log by rows, and again cut into batches, which
go by columns wherever they can; it compares rows, outputs, their order, and what was rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from hypothesis import currently_in_test_context
from hypothesis import event as note

from pipeline.domain.kernel.columns import Block, Passed, Run, events_of, merged
from pipeline.domain.kernel.events import Actor, Exchange
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import BRANCH_EVENTS, BROADCAST, INTERNAL_PREFIX, KEY_FIELDS, record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.runtime.kafka.topics import COMPACTED

PARTITIONS = 4

Log = list[tuple[Any, int]]
"""(event, time it was recorded), microseconds UTC."""


class Replay:
    """One partition in memory."""

    def __init__(self, rules: Any, partition: int = 0, partitions: int = PARTITIONS) -> None:
        self.rows = MemoryRows()
        self.said: dict[str, list[tuple[str, Any]]] = {}
        """(key, event) by topic, in order; a record passed on has its event, and no key."""
        self.latest: dict[str, dict[str, Any]] = {}
        """The last event of each key, by compacted topic."""
        self.in_columns = 0
        """How many events the batch path has applied."""
        self.rejected: list[str] = []
        """The codes of events that belong in dead letters, in order."""
        self.offset = 0
        """Of the next record."""
        self._rules = rules
        self._place = partition, partitions

    def by_rows(self, log: Log) -> None:
        """Apply events one by one."""
        for event, recorded_at in log:
            out, at = Outbox(), Arrival(recorded_at, *self._place, self.offset)
            self.offset += 1
            try:
                self._rules.apply(event, at, self.rows, out)
            except Reject as reject:
                self.rejected.append(reject.code)
                assert out.items == []
                continue
            for topic, key, said in out.items:
                self._say(topic, [(key, event if said is None else said)])

    def by_columns(self, batch: Any, log: Log) -> None:
        """Apply a batch by columns wherever they can."""
        run, position = run_of(batch, log, *self._place), 0
        while position < len(log):
            applied, said = batch.apply(run.slice(position, len(log)), self.rows)
            self._say_parts(said, log[position : position + applied])
            self.in_columns += applied
            position += applied
            self.offset += applied
            if not applied:
                self.by_rows([log[position]])
                position += 1

    def _say_parts(self, parts: Iterable[Block | Passed], log: Log) -> None:
        ordered: dict[str, list[tuple[int, str, Any]]] = {}
        for part in parts:
            assert (np.diff(part.order) >= 0).all(), "not in the order of the log"
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


def run_of(batch: Any, log: Log, partition: int = 0, partitions: int = PARTITIONS) -> Run:
    """Return events as the runtime hands them to the batch path."""
    kinds: dict[int, list[int]] = {}
    for position, (event, _) in enumerate(log):
        if type(event) in batch.classes:
            kinds.setdefault([*batch.classes].index(type(event)), []).append(position)
    groups = []
    for kind, positions in kinds.items():
        names = [name for name in batch.classes[kind].__struct_fields__ if name in batch.fields]
        cells = {name: [_cell(log[position][0], name) for position in positions] for name in names}
        arrays = [pa.array(cells[name], batch.fields[name]) for name in names]
        groups.append((kind, np.array(positions), pa.RecordBatch.from_arrays(arrays, names)))
    recorded_at = np.array([recorded for _, recorded in log], np.int64)
    return merged(groups, batch.fields, recorded_at, partition, partitions)


def _cell(event: Any, name: str) -> Any:
    value = getattr(event, name)
    if isinstance(value, tuple):
        return msgspec.to_builtins(value)
    return msgspec.structs.asdict(value) if isinstance(value, Actor | Exchange) else value


def _home_of(event: Any, partitions: int) -> Any:
    if type(event) in BRANCH_EVENTS and event.account_id.startswith(INTERNAL_PREFIX):
        return event.branch
    return partition_of(record_key(event), partitions)


def at_home(log: Log, partition: int, partitions: int) -> Log:
    """Return the events that belong on a partition; the runtime makes dead letters of the others."""
    return [
        (event, at)
        for event, at in log
        if type(event) in BROADCAST
        or type(event) not in KEY_FIELDS
        or _home_of(event, partitions) == partition
    ]


def assert_alike(
    rules: Any,
    batch: Any,
    log: Log,
    cuts: Sequence[int],
    partition: int = 0,
    partitions: int = PARTITIONS,
    before: Mapping[bytes, bytes] | None = None,
) -> Replay:
    """Assert that rows and batches do the same with a log, cut at some positions; return the one by batches.

    Rows are compared after every batch, outputs in the end. `before`: the rows that are there already.
    """
    place = partition, partitions
    rows, columns = Replay(rules, *place), Replay(rules, *place)
    for replay in (rows, columns):
        replay.rows.data.update(before or {})
    edges = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    for start, stop in pairwise(edges):
        rows.by_rows(log[start:stop])
        columns.by_columns(batch, log[start:stop])
        assert columns.rows.data == rows.rows.data
    assert columns.said == rows.said
    assert columns.latest == rows.latest
    assert columns.rejected == rows.rejected
    if not currently_in_test_context():
        return columns
    for code in {*rows.rejected}:
        note(f"rejected: {code}")
    for said in rows.said.values():
        for one in {(type(event).__name__, getattr(event, "code", None) or "") for _, event in said}:
            note(f"said: {' '.join(one)}")
    note(f"by columns: {10 * columns.in_columns // max(len(log), 1)}0 %")
    return columns
