"""The batch path of streams that reuse the rules of their row path.

    Run -> the events before the first irregular one -> OpenRun: the rows they need, in one read
        -> each event through the rules of the stream, in order -> rows in one write, outputs as blocks

An event's effect depends on all events before it, so the rules are applied to one event after the other. The
batch path saves the work around them: records are decoded, rows read, decoded and written, ids derived and
outputs encoded once for the whole run.

An event is irregular if the batch path does not implement it. It ends the run, and the row path applies it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import (
    ACTOR_COLUMN,
    EXCHANGE_COLUMN,
    METADATA_COLUMN,
    OTHER,
    Block,
    Passed,
    Run,
)
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.records import Maker, makers_of

_TYPES = {
    "int": pa.int64(),
    "bool": pa.bool_(),
    "tuple[str, ...]": pa.list_(pa.string()),
    "Actor": ACTOR_COLUMN,
    "Exchange": EXCHANGE_COLUMN,
    "dict[str, str]": METADATA_COLUMN,
}


class LeaveToRows(Exception):
    """The next event must be applied by the row path: the batch path does not implement its effects."""


class OpenRun(Protocol):
    """One run under way: applies events in order, over the rows that were read for all of them."""

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event; `recorded_at` is Kafka's timestamp, microseconds UTC.

        Raises `Reject` for an event that belongs in dead letters, `LeaveToRows` for one that only the row
        path can apply; nothing has changed then.
        """

    def close(self) -> Sequence[Block | Passed]:
        """Write the changed rows; return the outputs of the events that were applied."""


class RuleBatch(ABC):
    """Base of batch paths that apply a stream's own rules to runs of events; holds no state."""

    classes: Sequence[type]
    """The event classes it applies; `Run.kinds` are indexes into them."""
    fields: dict[str, pa.DataType]
    """The columns it reads: name and type."""

    def apply(self, run: Run, rows: Any) -> tuple[int, Sequence[Block | Passed]]:
        """Apply the events before the first one that is left to the row path.

        Returns how many were applied, and their outputs.
        """
        regular = run.slice(0, int(np.argmax(np.append(self._irregular(run), True))))
        if not len(regular):
            return 0, []
        events, applied = self._events(regular), 0
        opened = self._open(regular, events, rows)
        apply = opened.apply
        try:
            for event, recorded_at in zip(events, regular.recorded_at.tolist(), strict=True):
                apply(event, recorded_at)
                applied += 1
        except (Reject, LeaveToRows):
            pass  # the row path applies this event next, and reports what is wrong with it
        return applied, opened.close()

    def _irregular(self, run: Run) -> np.ndarray:
        """Return which events are left to the row path without asking the rules; one bool for each."""
        irregular: np.ndarray = run.kinds == OTHER
        return irregular

    def _events(self, run: Run) -> Iterable[Any]:
        """Return what the rules need of each event; `_open` and the rules each iterate over it once."""
        return structs_of(run, self.classes)

    @abstractmethod
    def _open(self, run: Run, events: Any, rows: Any) -> OpenRun:
        """Read the rows for a run without irregular events, and return the run ready for `apply`."""


def structs_of(run: Run, classes: Sequence[type], fields: Container[str] | None = None) -> list[Any]:
    """Return the events of a run as Structs, in order; fields without a column are None.

    `fields` names those that the rules read: decoding a text that nobody reads costs as much as reading it.
    """
    events: list[Any] = [None] * len(run)
    for kind, event in enumerate(classes):
        at = np.flatnonzero(run.kinds == kind)
        if not len(at):
            continue
        take = None if len(at) == len(run) else pa.array(at)
        names: tuple[str, ...] = event.__struct_fields__  # type: ignore[attr-defined]
        read = (run.columns.get(name) if fields is None or name in fields else None for name in names)
        makers = map(makers_of(event).get, names)
        made = map(event, *(_cells(column, take, make) for column, make in zip(read, makers, strict=True)))
        for place, one in zip(at.tolist(), made, strict=False):
            events[place] = one
    return events


def _cells(column: pa.Array | None, take: pa.Array | None, make: Maker | None) -> Iterator[Any]:
    """Yield the cells of a column as the fields of a Struct hold them; `make` makes those of no scalars."""
    if column is None:
        return repeat(None)
    taken = column if take is None else column.take(take)
    if taken.null_count == len(taken):
        return repeat(None)  # most fields that may be missing are, in all events of a run
    if make is not None:
        return map(make, taken.to_pylist())
    if taken.null_count:
        return iter(taken.to_pylist())  # NumPy would make a float of a number that may be missing
    return iter(taken.to_numpy(zero_copy_only=False).tolist())


@cache
def column_types(event: type) -> dict[str, pa.DataType]:
    """Return the column type of each field of an event class, or of a record in one."""
    names: tuple[str, ...] = event.__struct_fields__  # type: ignore[attr-defined]
    return {name: _type_of(str(event.__annotations__[name]).removesuffix(" | None")) for name in names}


def _type_of(annotation: str) -> pa.DataType:
    """Return the column type of an annotation of `events`; string for the symbols of an enum, too."""
    known = _TYPES.get(annotation)
    if known is not None:
        return known
    if annotation.startswith("tuple["):
        return pa.list_(_type_of(annotation.removeprefix("tuple[").removesuffix(", ...]")))
    record = getattr(ev, annotation, None)
    if isinstance(record, type) and issubclass(record, msgspec.Struct):
        return pa.struct(list(column_types(record).items()))
    return pa.string()


def blocks_of(items: Sequence[tuple[str, str, Any]]) -> list[Block]:
    """Return outputs, (topic, key, event) in order, as one block for each topic and event class."""
    groups: dict[tuple[str, type], list[int]] = {}
    for place, (topic, _, event) in enumerate(items):
        groups.setdefault((topic, type(event)), []).append(place)
    blocks = []
    for (topic, kind), places in groups.items():
        cells = zip(*[msgspec.structs.astuple(items[place][2]) for place in places], strict=True)
        columns = {
            name: _column(column, wanted)
            for (name, wanted), column in zip(column_types(kind).items(), cells, strict=True)
        }
        keys = pa.array([items[place][1] for place in places], pa.string())
        blocks.append(Block(topic, kind, np.array(places), keys, columns))
    return blocks


def _column(cells: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    """Return a column of what events have in a field; Arrow takes no Structs."""
    nested = pa.types.is_list(wanted) or pa.types.is_struct(wanted)
    return pa.array(msgspec.to_builtins(cells) if nested else cells, wanted)
