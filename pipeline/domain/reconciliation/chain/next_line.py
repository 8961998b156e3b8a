"""The next line of a statement, as nearly all are: its content is new, and it adds to what is there alone.

What is said here is what `lines.arrive_named` would do, without the work of finding out that it is all.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.reconciliation.chain.findings import ChainRows
from pipeline.domain.reconciliation.chain.inputs import Named
from pipeline.domain.reconciliation.chain.instances import begun, follows_in, with_instance, with_line
from pipeline.domain.reconciliation.chain.rows import Content, Series

_NOTHING = Series()


class Next(msgspec.Struct, frozen=True, gc=False):
    """The rows of a line that is the next one, to be written; the key of its content is to be queued."""

    content: Content
    series: Series
    is_new: bool
    """Whether nothing is known of the statement's id; then its key is to be queued, too."""


def next_line(
    rows: ChainRows, watermark: int, keep_us: int, what: Named, content_key: bytes, series_key: bytes
) -> Next | None:
    """Return what a line changes, or None: it is not that simple. Nothing is written.

    `watermark`, `keep_us`: as of `Moment`; `content_key`, `series_key`: of its rows. Raises Reject: overflow.
    """
    line = what.line
    series = rows.get(series_key, Series)
    is_new = series is None
    if series is None:
        if line.line_no < 0:
            return None
        series, host = _NOTHING, begun(_NOTHING, line.booked_day)
    elif series.again or len(series.instances) != 1 or watermark - series.touched_at > keep_us:
        return None
    else:
        (host,) = series.instances
        if not follows_in(host, line):
            return None
    if rows.get(content_key, Content) is not None:
        return None
    instance = with_line(host, line, is_twin=False)
    return Next(Content(what.place, 1, watermark), with_instance(series, instance, watermark), is_new)
