"""Whether a record is where its event belongs: under the event's key, on the partition of that key.

    decoded records -> Placement.faults -> reasons of the misplaced, which are dead letters

An account must never live on two partitions. The decision is written once (`_decision`), over operations on
one event or the same operations on a column of events: 0.4 us for one event, half of that for each of
thousands in columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import joined
from pipeline.domain.kernel.partitions import partition_of, partitions_of
from pipeline.domain.kernel.routing import BRANCH_EVENTS, BROADCAST, INTERNAL_PREFIX, KEY_FIELDS
from pipeline.runtime.avro.codec import Decoded, Frame, Group
from pipeline.runtime.kafka.dead_letters import Reason

Decision = Callable[[Any, Any], tuple[Any, Any]]
"""(event, key of its record) -> (whether the key is the event's, the partition it belongs to).

In columns: (batch, keys of its records) -> arrays of the same. The partition is None where any is right."""


class _Operations(NamedTuple):
    """What the decision is made of, for one event or for a column of them."""

    key: Callable[[str], Callable[[Any], Any]]
    """Name of the key's second field -> (event -> its key as text)."""
    same: Callable[[Any, Any], Any]
    """(key as text, key of the record) -> whether they are the same."""
    home: Callable[[Any, int], Any]
    """(key as text, number of partitions) -> partition of the key."""
    branch_or: Callable[[Any, Any], Any]
    """(event, partition) -> the event's branch where its account is internal, else the partition."""


def _decision(kind: type, do: _Operations, partitions: int) -> Decision:
    """Return what decides where events of a class, which some stream reads, belong."""
    everywhere, by_branch = kind in BROADCAST, kind in BRANCH_EVENTS
    key_of, (_, same_as, home_of, branch_or) = do.key(KEY_FIELDS[kind]), do

    def decide(event: Any, key: Any) -> tuple[Any, Any]:
        text = key_of(event)
        same = same_as(text, key)
        if everywhere:
            return same, None
        home = home_of(text, partitions)
        return same, branch_or(event, home) if by_branch else home

    return decide


# --- one event


def _key(field: str) -> Callable[[Any], str]:
    parts = attrgetter("tenant_id", field)
    return lambda event: "/".join(parts(event))


def _branch_or(event: Any, home: int) -> Any:
    return event.branch if event.account_id.startswith(INTERNAL_PREFIX) else home


_ONE = _Operations(_key, lambda text, key: text.encode() == key, partition_of, _branch_or)

# --- columns of events


def _keys(field: str) -> Callable[[pa.RecordBatch], pa.Array]:
    return lambda batch: joined("/", batch.column("tenant_id"), batch.column(field))


def _same(texts: pa.Array, keys: pa.Array) -> np.ndarray:
    return np.array(pc.fill_null(pc.equal(texts.cast(pa.binary()), keys), False))


def _branches_or(batch: pa.RecordBatch, homes: np.ndarray) -> np.ndarray:
    internal = np.array(pc.starts_with(batch.column("account_id"), INTERNAL_PREFIX))
    return np.where(internal, batch.column("branch"), homes)


_COLUMNS = _Operations(_keys, _same, partitions_of, _branches_or)


class Placement:
    """Decides for one partition of a log which of its records belong there."""

    __slots__ = ("_columns", "_one", "_partition")

    def __init__(self, partition: int, partitions: int) -> None:
        self._partition = partition
        self._one = {kind: _decision(kind, _ONE, partitions) for kind in KEY_FIELDS}
        self._columns = {kind: _decision(kind, _COLUMNS, partitions) for kind in KEY_FIELDS}

    def faults(self, records: Sequence[Any], read: Frame | Decoded) -> dict[int, Reason]:
        """Return why records are misplaced, by index; what could not be decoded is not looked at.

        A frame's groups lose those records: their columns are for what is applied.
        """
        found: dict[int, Reason] = {}
        if isinstance(read, Decoded):
            self._look_at(records, enumerate(read.events), found)
            return found
        self._look_at(records, read.singles.items(), found)
        if read.groups:
            keys = pa.array([record.key for record in records], pa.binary())
            kept = [self._kept(group, keys, found) for group in read.groups]
            read.groups = [group for group in kept if len(group.positions)]
        return found

    def _look_at(
        self, records: Sequence[Any], events: Iterable[tuple[int, Any]], found: dict[int, Reason]
    ) -> None:
        """Add the reasons of misplaced events to `found`; `events`: (index among the records, event)."""
        decisions, partition = self._one, self._partition
        for index, event in events:
            if event is None:
                continue
            key, decide = records[index].key, decisions.get(event.__class__)
            same, home = (False, None) if decide is None or key is None else decide(event, key)
            if not (same and (home == partition or home is None)):
                found[index] = _reason(key, event.__class__, same, home)

    def _kept(self, group: Group, keys: pa.Array, found: dict[int, Reason]) -> Group:
        """Return what of a group belongs here; the reasons of the others go to `found`."""
        keys = keys.take(pa.array(group.positions))
        decide = self._columns.get(group.event)
        same, homes = (np.zeros(len(keys), bool), None) if decide is None else decide(group.batch, keys)
        good = same if homes is None else same & (homes == self._partition)
        if good.all():
            return group
        for at in np.flatnonzero(~good).tolist():
            home = None if homes is None else homes[at]
            found[int(group.positions[at])] = _reason(keys[at].as_py(), group.event, same[at], home)
        return group._replace(positions=group.positions[good], batch=group.batch.filter(pa.array(good)))


def _reason(key: bytes | None, kind: type, same: bool, home: Any) -> Reason:
    """Return why a record is misplaced, given what was decided of it."""
    if key is None:
        return Reason("Routing", "no_key", "")
    if kind not in KEY_FIELDS:
        return Reason("Routing", "unexpected_event", kind.__name__)
    if not same:
        return Reason("Routing", "wrong_key", f"expected tenant_id/{KEY_FIELDS[kind]}")
    return Reason("Routing", "wrong_partition", f"expected {home}")
