"""The batch path of streams that reuse their own rules: events in order, and all the rest once a run.

    Run -> the events before the first irregular one -> desk: the rows they need, in one read
        -> each event through the rules of the stream -> rows in one write, outputs as blocks

What an event does depends on all events before it, so they are applied one by one. What a run saves is
everything around that: decoding records, reading, decoding and writing rows, deriving ids, encoding outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import OTHER, Block, Passed, Run
from pipeline.domain.kernel.outbox import Reject

_TYPES = {"int": pa.int64(), "bool": pa.bool_(), "tuple[str, ...]": pa.list_(pa.string())}


class LeaveToRows(Exception):
    """The next event is for the row path: it has effects that the batch path does not know."""


class Desk(Protocol):
    """What the events of one run find and leave."""

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event, which Kafka took at a time (microseconds UTC).

        Raises `Reject` for an event that belongs in dead letters, `LeaveToRows` for another that the row path
        must take over; both with nothing changed.
        """

    def close(self) -> Sequence[Block | Passed]:
        """Write the rows that have changed; return the outputs of the events that were applied."""


class RuleBatch(ABC):
    """Applies runs of events to the rows of one partition by the rules of a stream; holds no state."""

    classes: Sequence[type]
    """The events it takes; the kind of a row is an index into them."""
    fields: dict[str, pa.DataType]
    """The columns it looks at."""

    def apply(self, run: Run, rows: Any) -> tuple[int, Sequence[Block | Passed]]:
        """Apply the events before the first one that the row path must take over.

        Returns how many that were, and their outputs.
        """
        regular = run.slice(0, int(np.argmax(np.append(self._irregular(run), True))))
        if not len(regular):
            return 0, []
        events, applied = self._events(regular), 0
        desk = self._open(regular, events, rows)
        apply = desk.apply
        try:
            for event, recorded_at in zip(events, regular.recorded_at.tolist(), strict=True):
                apply(event, recorded_at)
                applied += 1
        except (Reject, LeaveToRows):
            pass  # the row path sees the event next
        return applied, desk.close()

    def _irregular(self, run: Run) -> np.ndarray:
        """Return which events are left to the row path before any rule has looked at them; bool."""
        irregular: np.ndarray = run.kinds == OTHER
        return irregular

    def _events(self, run: Run) -> Iterable[Any]:
        """Return what the rules need of each event; the desk and the rules go through it once each."""
        return structs_of(run, self.classes)

    @abstractmethod
    def _open(self, run: Run, events: Any, rows: Any) -> Desk:
        """Return the desk of a run whose events are all regular."""


def structs_of(run: Run, classes: Sequence[type]) -> list[Any]:
    """Return the events of a run in order; fields that the run does not have are None."""
    events: list[Any] = [None] * len(run)
    for kind, event in enumerate(classes):
        at = np.flatnonzero(run.kinds == kind)
        if not len(at):
            continue
        take = None if len(at) == len(run) else pa.array(at)
        names: tuple[str, ...] = event.__struct_fields__  # type: ignore[attr-defined]
        made = map(event, *(_cells(run.columns.get(name), take) for name in names))
        for place, one in zip(at.tolist(), made, strict=False):
            events[place] = one
    return events


def _cells(column: pa.Array | None, take: pa.Array | None) -> Iterator[Any]:
    if column is None:
        return repeat(None)
    taken = column if take is None else column.take(take)
    if taken.null_count:
        return iter(taken.to_pylist())  # NumPy would make a float of a number that may be missing
    return iter(taken.to_numpy(zero_copy_only=False).tolist())


@cache
def column_types(event: type) -> dict[str, pa.DataType]:
    """Return the fields of an event as columns: text, integers, truth values or lists of text."""
    types = {name: str(kind).partition(" |")[0] for name, kind in event.__annotations__.items()}
    return {name: _TYPES.get(kind, pa.string()) for name, kind in types.items()}


def blocks_of(items: Sequence[tuple[str, str, Any]]) -> list[Block]:
    """Return outputs, (topic, key, event) in order, as a block for each class of one topic."""
    groups: dict[tuple[str, type], list[int]] = {}
    for place, (topic, _, event) in enumerate(items):
        groups.setdefault((topic, type(event)), []).append(place)
    blocks = []
    for (topic, kind), places in groups.items():
        cells = zip(*[msgspec.structs.astuple(items[place][2]) for place in places], strict=True)
        columns = {
            name: pa.array(column, wanted)
            for (name, wanted), column in zip(column_types(kind).items(), cells, strict=True)
        }
        keys = pa.array([items[place][1] for place in places], pa.string())
        blocks.append(Block(topic, kind, np.array(places), keys, columns))
    return blocks
