"""The next line of a statement, as nearly all are: its content is new, and it adds to what is there alone.

What is said here is what `lines.arrive_named` would do, without the work of finding out that it is all.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.domain.reconciliation.chain.findings import ChainRows, Moment
from pipeline.domain.reconciliation.chain.inputs import Line
from pipeline.domain.reconciliation.chain.instances import follows_in, with_instance, with_line
from pipeline.domain.reconciliation.chain.rows import Content, Series


class Next(NamedTuple):
    """The rows of a line that is the next one, to be written; the key of its content is to be queued."""

    content: Content
    series: Series


def next_line(
    rows: ChainRows, at: Moment, line: Line, place: bytes, content_key: bytes, series_key: bytes
) -> Next | None:
    """Return what a line changes, or None: it is not that simple. Nothing is written.

    `place`: the line's; `content_key`, `series_key`: of its rows. Raises Reject: overflow.
    """
    series = rows.get(series_key, Series)
    if series is None or series.again or len(series.instances) != 1 or at.is_over(series.touched_at):
        return None
    (host,) = series.instances
    if not follows_in(host, line) or rows.get(content_key, Content) is not None:
        return None
    instance = with_line(host, line, is_twin=False)
    return Next(Content(place, 1, at.watermark), with_instance(series, instance, at.watermark))
