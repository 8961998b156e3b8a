"""What has ended is forgotten: the desk's queue hands the keys of `Outcome.ended` back when it is time.

A line's content and place are needed until a repeat of it would be too old, and count from when it came. The
statements of an id count from their last change; while one of them has an open break, they stay. A chain is
bounded and stays.
"""

from __future__ import annotations

from pipeline.domain.reconciliation.chain.findings import ChainRows, Moment
from pipeline.domain.reconciliation.chain.instances import has_break
from pipeline.domain.reconciliation.chain.rows import (
    CONTENT_ROW,
    PLACE_ROW,
    SERIES_ROW,
    Content,
    Place,
    Series,
)

FAMILIES = frozenset((CONTENT_ROW.family, PLACE_ROW.family, SERIES_ROW.family))
"""The families whose keys `forget` takes."""


def forget(rows: ChainRows, at: Moment, key: bytes) -> int | None:
    """Delete a row whose window is over; return with which time its key is queued again, or None."""
    family = chr(key[0])
    if family == SERIES_ROW.family:
        series = rows.get(key, Series)
        if series is None:
            return None
        if not at.is_over(series.touched_at):
            return series.touched_at
        if has_break(series):
            return at.watermark
        rows.put(key, None)
        return None
    row = rows.get(key, Content) if family == CONTENT_ROW.family else rows.get(key, Place)
    if row is not None and at.is_over(row.at):
        rows.put(key, None)
    return None
