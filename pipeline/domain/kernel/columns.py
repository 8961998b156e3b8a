"""Events as columns: the input and the output of a stream's batch path.

A stream can apply events in two ways, with the same table rows and the same outputs in the same order:

    row path     one event at a time, as an object: the rules as they are defined
    batch path   a run of events at once, as columns: much faster for large batches

`Run`: consecutive events of a log, one element of each column for each event; null where the event's class
has no such field. `Block`: outputs of one class for one topic; the blocks of a topic are merged by `order`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.events import Actor, Exchange
from pipeline.domain.kernel.outbox import NAMESPACE

ACTOR_COLUMN = pa.struct([(name, pa.string()) for name in Actor.__struct_fields__])
EXCHANGE_COLUMN = pa.struct(
    [
        (name, pa.int64() if name.endswith(("_minor", "_e8")) else pa.string())
        for name in Exchange.__struct_fields__
    ]
)
METADATA_COLUMN = pa.map_(pa.string(), pa.string())
OTHER = -1
"""The kind of an event that the batch path must leave to the row path."""

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), "u2")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events of one partition of a log, in order, as columns of equal length."""

    columns: dict[str, pa.Array]
    kinds: np.ndarray
    """Index into the batch path's list of classes, or OTHER; int8."""
    recorded_at: np.ndarray
    """Kafka's timestamps, microseconds UTC; int64."""
    partition: int
    partitions: int

    def __len__(self) -> int:
        return len(self.kinds)

    def slice(self, start: int, stop: int) -> Run:
        """Return the events from `start` up to but not including `stop`."""
        if start == 0 and stop >= len(self):
            return self
        return Run(
            {name: column.slice(start, stop - start) for name, column in self.columns.items()},
            self.kinds[start:stop],
            self.recorded_at[start:stop],
            self.partition,
            self.partitions,
        )

    def take(self, positions: np.ndarray) -> Run:
        """Return the events at some positions."""
        at = pa.array(positions)
        return Run(
            {name: column.take(at) for name, column in self.columns.items()},
            self.kinds[positions],
            self.recorded_at[positions],
            self.partition,
            self.partitions,
        )


class Block(NamedTuple):
    """Outputs of one event class for one topic, as columns; cells hold what the Struct's fields hold."""

    topic: str
    event: type
    order: np.ndarray
    """Ascending; a topic's blocks are merged by it, the earlier block first where two are equal. int64."""
    keys: pa.Array
    """string."""
    columns: dict[str, pa.Array]
    """By field name; a field with a default in its class may be left out."""


class Passed(NamedTuple):
    """Input records of a run that are forwarded to a topic unchanged: same key, same bytes."""

    topic: str
    order: np.ndarray
    """As in `Block`: blocks and forwarded records of a topic are merged by it."""
    positions: np.ndarray
    """In the run; as long as `order`."""


class BatchPath(Protocol):
    """The batch path of a stream; its outputs and the rows it writes are those of the row path."""

    @property
    def classes(self) -> Sequence[type]:
        """The event classes it applies; `Run.kinds` are indexes into them."""

    @property
    def fields(self) -> dict[str, pa.DataType]:
        """The columns it reads: name and type."""

    def apply(self, run: Run, rows: Any) -> tuple[int, Sequence[Block | Passed]]:
        """Apply the events before the first one that must be left to the row path.

        Returns how many were applied, and their outputs.
        """


def merged(
    groups: Sequence[tuple[int, np.ndarray, pa.RecordBatch]],
    fields: dict[str, pa.DataType],
    recorded_at: np.ndarray,
    partition: int,
    partitions: int,
) -> Run:
    """Return one run of several groups of events: each has a kind, positions in the run, and columns.

    `fields` names the columns of the run and their types; a position in no group has the kind OTHER.
    """
    count = len(recorded_at)
    kinds = np.full(count, OTHER, np.int8)
    # Event i of the run is event `source[i]` of the concatenated groups; an index past their end gives nulls.
    source = np.full(count, sum(len(positions) for _, positions, _ in groups), np.int64)
    start = 0
    for kind, positions, _ in groups:
        kinds[positions] = kind
        source[positions] = np.arange(start, start + len(positions))
        start += len(positions)
    if len(groups) == 1 and start == count:
        ((_, _, batch),) = groups
        columns = {name: _column(batch, name, wanted) for name, wanted in fields.items()}
        return Run(columns, kinds, recorded_at, partition, partitions)
    take, columns = pa.array(source), {}
    for name, wanted in fields.items():
        parts = [_column(batch, name, wanted) for _, _, batch in groups]
        columns[name] = pa.concat_arrays([*parts, pa.nulls(1, wanted)]).take(take)
    return Run(columns, kinds, recorded_at, partition, partitions)


def _column(batch: pa.RecordBatch, name: str, wanted: pa.DataType) -> pa.Array:
    index = batch.schema.get_field_index(name)
    return pa.nulls(len(batch), wanted) if index < 0 else cast(batch.column(index), wanted)


def cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Return a column of a type; Arrow's own cast takes a while to find that there is nothing to do."""
    return column if column.type == wanted else column.cast(wanted)


def taken(columns: dict[str, pa.Array], names: Iterable[str], at: np.ndarray) -> dict[str, pa.Array]:
    """Return some columns at some positions, ascending; all positions are the columns themselves."""
    names = list(names)
    parts = [columns[name] for name in names]
    if not parts or len(at) == len(parts[0]):
        return dict(zip(names, parts, strict=True))
    # One call for all of them: most of what a few rows cost is the calls.
    batch = pa.RecordBatch.from_arrays(parts, names).take(pa.array(at))
    return dict(zip(names, batch.columns, strict=True))


def said(columns: dict[str, pa.Array], *names: str) -> tuple[str, ...]:
    """Return which of some columns have a value at all: those of nulls need not be carried."""
    return tuple(name for name in names if columns[name].null_count < len(columns[name]))


def joined(separator: str, *parts: pa.Array | str) -> pa.Array:
    """Return one string for each row: the parts with a separator between them."""
    return pc.binary_join_element_wise(*parts, separator)


def numpy_of(column: pa.Array, null: Any = None) -> np.ndarray:
    """Return a column as a NumPy array; `null`, if given, replaces nulls."""
    filled = column if null is None else pc.fill_null(column, null)
    found: np.ndarray = filled.to_numpy(zero_copy_only=False)
    return found


def derived_ids(causes: pa.Array, names: pa.Array | str) -> pa.Array:
    """Return `outbox.derived_id` of each cause; `names` is a column, or one name for all causes."""
    if not len(causes):
        return pa.array([], pa.string())
    name = names.encode() if isinstance(names, str) else names.cast(pa.binary())
    hashed = pc.binary_join_element_wise(NAMESPACE, causes.cast(pa.binary()), b"\0", name, b"")
    sha1 = hashlib.sha1
    digests = b"".join([sha1(one).digest() for one in hashed.to_pylist()])
    octets = np.frombuffer(digests, "u1").reshape(-1, 20)[:, :16].copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80
    digits = _HEX[octets].view("u1")
    text = np.full((len(causes), 36), ord("-"), np.uint8)
    for target, start, stop in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        text[:, target : target + stop - start] = digits[:, start:stop]
    return strings_of_width(text)


def strings_of_width(text: np.ndarray) -> pa.Array:
    """Return each row of an array of UTF-8 bytes (uint8, count x width) as a string."""
    count, width = text.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def _actor_of(cell: dict[str, Any]) -> Actor:
    return Actor(**cell)


def events_of(block: Block) -> list[Any]:
    """Return the events of a block, as the row path would have emitted them."""
    names = [name for name in block.event.__struct_fields__ if name in block.columns]  # type: ignore[attr-defined]
    columns = {name: block.columns[name].to_pylist() for name in names}
    for name, make in (("actor", _actor_of), ("metadata", dict)):
        if name in columns:
            columns[name] = [None if cell is None else make(cell) for cell in columns[name]]
    return [
        block.event(**dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)
    ]
