"""What one transaction will hold, besides the rows: outputs in order, and the offset to commit.

    events applied one by one -> single events, records to pass on |
    runs of the batch path   -> blocks of columns, records        | -> encode -> records by destination

They are encoded at the commit, all events of a class together, and put back in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import Block, Passed
from pipeline.domain.kernel.partitions import partition_of, partitions_of
from pipeline.domain.kernel.routing import BRANCH_EVENTS, BROADCAST, INTERNAL_PREFIX
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.records import (
    NO_HEADERS,
    Columns,
    Destination,
    OutputRecord,
    Pieces,
    Records,
    columns_of,
    joined_columns,
)
from pipeline.runtime.kafka.topics import COMMANDED, COMPACTED, INVARIANT_ALERTS

UNIT_RECORDS_MAX = 40_000
UNIT_OUTPUTS_MAX = 80_000
"""A unit above this many input records or outputs waits for its transaction before more is applied."""
Output = tuple[str, int, str, Any]
"""(topic, partition, key, event or record)."""


class Ready(NamedTuple):
    """Input records that a batch path passes on unchanged, and where they stand among the run's outputs."""

    topic: str
    order: np.ndarray
    columns: Columns


def ready(part: Block | Passed, records: Sequence[Any], start: int) -> Block | Ready:
    """Return an output of a run as the unit takes it; the run begins at `start` of the records."""
    if isinstance(part, Block):
        return part
    passed = [records[start + position] for position in part.positions.tolist()]
    columns = columns_of((record.key, record.value, NO_HEADERS, None) for record in passed)
    return Ready(part.topic, part.order, columns)


Latest = Block | dict[str, Any]
"""Events of some keys of a compacted topic, of which the last of a key counts: as columns, or by key."""


class Unit:
    """The outputs of a partition since its last transaction."""

    __slots__ = ("_items", "_latest", "_partition", "_partitions", "_runs", "end", "outputs", "records")

    def __init__(self, partition: int, partitions: int) -> None:
        self.end: int | None = None
        """The source offset to commit; None as long as there is nothing to commit."""
        self.records = 0
        self.outputs = 0
        """How many outputs there are, those of compacted topics not counted."""
        self._partition = partition
        self._partitions = partitions
        self._items: list[Output] = []
        self._runs: list[tuple[int, list[Block | Ready]]] = []
        """Blocks that belong together, and how many items come before them."""
        self._latest: dict[str, list[Latest]] = {}
        """By compacted topic, in order: of a key the last one counts."""

    @property
    def is_full(self) -> bool:
        """Whether it waits for its transaction before more is applied."""
        return self.records > UNIT_RECORDS_MAX or self.outputs > UNIT_OUTPUTS_MAX

    def add(self, topic: str, key: str, event: Any) -> None:
        """Add an event. A compacted topic keeps the last one of a key.

        Outputs about a partition's accounts, internal ones included, have its number; only commands go to the
        partition of the account that they are for, and those that all partitions read to each of them.
        """
        if topic in COMPACTED:
            latest = self._latest.setdefault(topic, [{}])
            if isinstance(latest[-1], Block):
                latest.append({})
            latest[-1][key] = event  # type: ignore[index]
            return
        if topic not in COMMANDED or _is_of_branch(event):
            homes: Iterable[int] = (self._partition,)
        elif event.__class__ in BROADCAST:
            homes = range(self._partitions)
        else:
            homes = (partition_of(key, self._partitions),)
        for partition in homes:
            self._items.append((topic, partition, key, event))
            self.outputs += 1

    def collect(self, items: Iterable[tuple[str, str, Any]], record: Any) -> int:
        """Add the outputs of one input record; return how many broken invariants they report.

        An output without an event is the record itself, passed on; with the key `*`, to every partition.
        """
        alerts = 0
        for topic, key, event in items:
            alerts += topic == INVARIANT_ALERTS
            if event is not None:
                self.add(topic, key, event)
                continue
            everywhere = key == "*"
            for partition in range(self._partitions) if everywhere else (self._partition,):
                self.add_record(topic, partition, (record.key, record.value, NO_HEADERS, None))
        return alerts

    def add_record(self, topic: str, partition: int, record: OutputRecord) -> None:
        """Add a record that is ready to be written."""
        self._items.append((topic, partition, "", record))
        self.outputs += 1

    def add_run(self, blocks: Iterable[Block | Ready]) -> None:
        """Add the outputs of a run of the batch path; the rules for topics are those of `add`."""
        ordered = []
        for block in blocks:
            if isinstance(block, Block) and block.topic in COMPACTED:
                self._latest.setdefault(block.topic, []).append(block)
            else:
                ordered.append(block)
                everywhere = isinstance(block, Block) and _is_broadcast(block)
                self.outputs += len(block.order) * (self._partitions if everywhere else 1)
        self._runs.append((len(self._items), ordered))

    def encoded(self, codec: Codec) -> dict[Destination, Records]:
        """Return the outputs by destination, in order; raises as `Codec.encode`."""
        pieces = Pieces()
        values = _encode_items(codec, self._items)
        done = 0
        for before, blocks in self._runs:
            _append(pieces, self._items[done:before], values)
            done = before
            self._append_run(pieces, blocks, codec)
        _append(pieces, self._items[done:], values)
        for topic, latest in self._latest.items():
            self._append_latest(pieces, topic, latest, codec)
        return pieces.joined()

    def _append_run(self, pieces: Pieces, blocks: list[Block | Ready], codec: Codec) -> None:
        topics: dict[str, list[Block | Ready]] = {}
        for block in blocks:
            topics.setdefault(block.topic, []).append(block)
        for topic, parts in topics.items():
            order = np.argsort(np.concatenate([part.order for part in parts]), kind="stable")
            columns = joined_columns([_columns(part, codec) for part in parts])
            if topic not in COMMANDED or all(isinstance(part, Ready) for part in parts):
                # What is passed on has the key of its partition already.
                pieces.add_columns(topic, self._partition, columns.take(order))
                continue
            homes = partitions_of(columns.keys, self._partitions)
            sizes = [len(part.order) for part in parts]
            everywhere = np.repeat([_is_broadcast(part) for part in parts], sizes)[order]
            homes = homes[order]
            for partition in range(self._partitions) if everywhere.any() else np.unique(homes).tolist():
                here = order[(homes == partition) | everywhere]
                if len(here):
                    pieces.add_columns(topic, partition, columns.take(here))

    def _append_latest(self, pieces: Pieces, topic: str, latest: list[Latest], codec: Codec) -> None:
        """Add the last event of every key."""
        for part, kept in zip(latest, _last_ones(latest), strict=True):
            if isinstance(part, Block):
                columns = _columns(_picked(part, np.flatnonzero(kept)), codec)
                pieces.add_columns(topic, self._partition, columns)
                continue
            items = [
                (topic, self._partition, key, event)
                for (key, event), keep in zip(part.items(), kept.tolist(), strict=True)
                if keep
            ]
            _append(pieces, items, _encode_items(codec, items))


def _is_of_branch(event: Any) -> bool:
    """Whether an event is about accounts of the branch, which are on its partition whatever their key is."""
    return type(event) in BRANCH_EVENTS and event.account_id.startswith(INTERNAL_PREFIX)


def _is_broadcast(part: Block | Ready) -> bool:
    """Whether all partitions of a log of commands get the events."""
    return isinstance(part, Block) and part.topic in COMMANDED and part.event in BROADCAST


def _last_ones(latest: list[Latest]) -> list[np.ndarray]:
    """Return for each part which of its keys do not come again in it or in a later one."""
    if len(latest) == 1 and isinstance(latest[0], dict):
        return [np.ones(len(latest[0]), bool)]
    keys = [part.keys if isinstance(part, Block) else pa.array(list(part), pa.string()) for part in latest]
    place = pa.concat_arrays(keys).dictionary_encode().indices.to_numpy()
    last = np.zeros(len(place), np.int64)
    last[place] = np.arange(len(place))
    kept = np.zeros(len(place), bool)
    kept[last[place]] = True
    return np.split(kept, np.cumsum([len(part) for part in keys])[:-1])


def _picked(block: Block, at: np.ndarray) -> Block:
    """Return some events of a block."""
    take = pa.array(at)
    columns = {name: column.take(take) for name, column in block.columns.items()}
    return block._replace(order=block.order[at], keys=block.keys.take(take), columns=columns)


def _encode_items(codec: Codec, items: Sequence[Output]) -> dict[type, Iterator[Any]]:
    """Return the values of single events by class, in order; of records the records themselves."""
    classes: dict[type, list[Any]] = {}
    for item in items:
        classes.setdefault(type(item[3]), []).append(item[3])
    ready = classes.pop(tuple, [])
    values: dict[type, Iterator[Any]] = {kind: iter(codec.encode(events)) for kind, events in classes.items()}
    values[tuple] = iter(ready)
    return values


def _append(pieces: Pieces, items: Iterable[Output], values: dict[type, Iterator[Any]]) -> None:
    for topic, partition, key, event in items:
        kind = type(event)
        value: Any = next(values[kind])
        pieces.add(topic, partition, value if kind is tuple else (key.encode(), value, NO_HEADERS, None))


def _columns(part: Block | Ready, codec: Codec) -> Columns:
    """Return the records of a block, or those that are passed on."""
    if isinstance(part, Ready):
        return part.columns
    return Columns(part.keys.cast(pa.binary()), codec.encode_columns(part.event, part.columns))
