"""Decoded records as the run of commands that a vector path takes.

A record whose key, or partition, is not that of its event is left out: its row says so, and the row path,
which sees it next, makes it a dead letter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import Run, Vector, joined, merged
from pipeline.domain.kernel.partitions import partitions_of
from pipeline.domain.kernel.routing import BROADCAST, INTERNAL_PREFIX, JOURNAL, KEY_FIELDS
from pipeline.runtime.avro.codec import Frame, Group


def run_of(vector: Vector, records: list[Any], frame: Frame, partition: int, partitions: int) -> Run:
    """Return the records as columns; those that `vector` does not take have the kind OTHER."""
    kinds = {event: kind for kind, event in enumerate(vector.classes)}
    keys = pa.array([record.key for record in records], pa.binary())
    groups = []
    for group in frame.groups:
        kind = kinds.get(group.event)
        if kind is None:
            continue
        good = _placed(group, keys, partition, partitions)
        if good.all():
            groups.append((kind, group.positions, group.batch))
        else:
            groups.append((kind, group.positions[good], group.batch.filter(pa.array(good))))
    recorded_at = np.array([record.timestamp for record in records], np.int64) * 1000
    return merged(groups, vector.fields, recorded_at, partition, partitions)


def _placed(group: Group, keys: pa.Array, partition: int, partitions: int) -> np.ndarray:
    """Return which records of a group have the key and the partition of their event."""
    columns = [group.batch.column(name) for name in ("tenant_id", KEY_FIELDS[group.event])]
    expected = joined("/", *columns)
    same = pc.equal(expected.cast(pa.binary()), keys.take(pa.array(group.positions)))
    good: np.ndarray = np.array(pc.fill_null(same, False))
    if group.event in BROADCAST:
        return good
    home = partitions_of(expected, partitions)
    if group.event in JOURNAL:
        internal = np.array(pc.starts_with(columns[1], INTERNAL_PREFIX))
        home = np.where(internal, group.batch.column("branch"), home)
    good &= home == partition
    return good
