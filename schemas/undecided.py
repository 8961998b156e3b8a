"""Legs on which no home has decided when they count: those of version 1, which had no `asked_at`.

Their branches decided, each for itself, and have to do so where such a leg is still under way. So what is
asked for becomes the time itself. A home that decides never says that: a time that is moved is another one.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def asked_at(batch: pa.RecordBatch) -> pa.Array:
    """Return the time at which each event of a batch asks to count, its own if it asks for none."""
    return pc.coalesce(batch.column("effective_at"), batch.column("occurred_at"))
