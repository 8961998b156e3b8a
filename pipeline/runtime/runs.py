"""Decoded records as the run of commands that a batch path takes: one batch of columns, in log order.

Records that are in none of the frame's groups (not decoded in columns, misplaced, of another class) have the
kind OTHER: the batch path leaves them, and they are applied one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.domain.kernel.columns import BatchPath, Run, merged
from pipeline.runtime.avro.codec import Frame


def run_of(batch: BatchPath, records: list[Any], frame: Frame, partition: int, partitions: int) -> Run:
    """Return the records as columns; those that `batch` does not take have the kind OTHER."""
    kinds = {event: kind for kind, event in enumerate(batch.classes)}
    groups = [
        (kinds[group.event], group.positions, group.batch) for group in frame.groups if group.event in kinds
    ]
    recorded_at = np.array([record.timestamp for record in records], np.int64) * 1000
    return merged(groups, batch.fields, recorded_at, partition, partitions)
