"""What one transaction will hold, besides the rows: outputs in order, and the offset to commit.

Outputs come as single events (the row path), as records that are ready, or as blocks of columns (the vector
path). They are encoded at the commit, all events of a class together, and put back in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.domain.columns import Block
from pipeline.domain.partitions import partition_of
from pipeline.runtime.codec import Codec
from pipeline.runtime.topics import COMMANDED, COMPACTED
from pipeline.runtime.transactions import OutputRecord

NO_HEADERS: list[tuple[str, bytes]] = []


class _Row(NamedTuple):
    """An event that stands in a block."""

    block: Block
    row: int


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
        self._items: list[tuple[str, int, str, Any]] = []
        self._runs: list[tuple[int, list[Block]]] = []
        """Blocks that belong together, and how many items come before them."""
        self._latest: dict[str, dict[str, Any]] = {}

    def add(self, topic: str, key: str, event: Any) -> None:
        """Add an event. A compacted topic keeps the last one of a key.

        What a partition says of its accounts stays on its number, internal accounts included; only commands
        go to the partition of the account that they are for.
        """
        if topic in COMPACTED:
            self._latest.setdefault(topic, {})[key] = event
            return
        partition = partition_of(key, self._partitions) if topic in COMMANDED else self._partition
        self._items.append((topic, partition, key, event))
        self.outputs += 1

    def add_record(self, topic: str, partition: int, record: OutputRecord) -> None:
        """Add a record that is ready to be written."""
        self._items.append((topic, partition, "", record))
        self.outputs += 1

    def add_run(self, blocks: list[Block]) -> None:
        """Add what a run of the vector path says; the rules for topics are those of `add`."""
        ordered = []
        for block in blocks:
            if block.topic in COMPACTED:
                latest = self._latest.setdefault(block.topic, {})
                latest.update((key, _Row(block, row)) for row, key in enumerate(block.keys))
            else:
                ordered.append(block)
                self.outputs += len(block.keys)
        self._runs.append((len(self._items), ordered))

    def encoded(self, codec: Codec) -> dict[tuple[str, int], list[OutputRecord]]:
        """Return the outputs by (topic, partition), in order."""
        outputs: dict[tuple[str, int], list[OutputRecord]] = {}
        singles = [
            (topic, self._partition, key, event)
            for topic, rows in self._latest.items()
            for key, event in rows.items()
            if type(event) is not _Row
        ]
        values = _encode_items(codec, [*self._items, *singles])
        runs = _encode_blocks(codec, [block for _, blocks in self._runs for block in blocks])
        done = 0
        for before, blocks in self._runs:
            _append(outputs, self._items[done:before], values)
            done = before
            self._append_run(outputs, blocks, runs)
        _append(outputs, self._items[done:], values)
        _append(outputs, singles, values)
        for topic, rows in self._latest.items():
            wanted = [(key, row) for key, row in rows.items() if type(row) is _Row]
            if wanted:
                records = _encode_rows(codec, wanted)
                outputs.setdefault((topic, self._partition), []).extend(records)
        return outputs

    def _append_run(
        self,
        outputs: dict[tuple[str, int], list[OutputRecord]],
        blocks: list[Block],
        values: Iterator[list[bytes]],
    ) -> None:
        topics: dict[str, list[tuple[Block, list[bytes]]]] = {}
        for block in blocks:
            topics.setdefault(block.topic, []).append((block, next(values)))
        for topic, parts in topics.items():
            records = [
                (key.encode(), value, NO_HEADERS, None)
                for block, encoded in parts
                for key, value in zip(block.keys, encoded, strict=True)
            ]
            order = np.argsort(np.concatenate([block.order for block, _ in parts]), kind="stable").tolist()
            if topic not in COMMANDED:
                place = outputs.setdefault((topic, self._partition), [])
                place.extend(map(records.__getitem__, order))
                continue
            homes = [partition_of(key, self._partitions) for block, _ in parts for key in block.keys]
            for number in order:
                outputs.setdefault((topic, homes[number]), []).append(records[number])


def _encode_items(codec: Codec, items: list[tuple[str, int, str, Any]]) -> dict[type, Iterator[Any]]:
    """Return the values of single events by class, in order; of records the records themselves."""
    classes: dict[type, list[Any]] = {}
    for item in items:
        classes.setdefault(type(item[3]), []).append(item[3])
    ready = classes.pop(tuple, [])
    values: dict[type, Iterator[Any]] = {kind: iter(codec.encode(events)) for kind, events in classes.items()}
    values[tuple] = iter(ready)
    return values


def _append(
    outputs: dict[tuple[str, int], list[OutputRecord]],
    items: Iterable[tuple[str, int, str, Any]],
    values: dict[type, Iterator[Any]],
) -> None:
    for topic, partition, key, event in items:
        kind = type(event)
        value: Any = next(values[kind])
        record = value if kind is tuple else (key.encode(), value, NO_HEADERS, None)
        outputs.setdefault((topic, partition), []).append(record)


def _encode_blocks(codec: Codec, blocks: list[Block]) -> Iterator[list[bytes]]:
    """Yield the values of each block, in order; the blocks of a class are encoded as one."""
    classes: dict[type, list[Block]] = {}
    for block in blocks:
        classes.setdefault(block.event, []).append(block)
    values = {}
    for event, parts in classes.items():
        columns = {
            name: pa.concat_arrays([block.columns[name] for block in parts]) for name in parts[0].columns
        }
        values[event] = codec.encode_columns(event, columns)
    done = dict.fromkeys(classes, 0)
    for block in blocks:
        start = done[block.event]
        done[block.event] = end = start + len(block.keys)
        yield values[block.event][start:end]


def _encode_rows(codec: Codec, wanted: list[tuple[str, _Row]]) -> list[OutputRecord]:
    """Return the records of events picked out of blocks."""
    picked: dict[int, tuple[Block, list[str], list[int]]] = {}
    for key, (block, row) in wanted:
        _, keys, rows = picked.setdefault(id(block), (block, [], []))
        keys.append(key)
        rows.append(row)
    parts = [
        block._replace(keys=keys, columns={name: column.take(rows) for name, column in block.columns.items()})
        for block, keys, rows in picked.values()
    ]
    return [
        (key.encode(), value, NO_HEADERS, None)
        for block, values in zip(parts, _encode_blocks(codec, parts), strict=True)
        for key, value in zip(block.keys, values, strict=True)
    ]
