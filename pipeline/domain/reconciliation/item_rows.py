"""Kinds of rows that the stream in force and the desk both have: each is declared once.

The desk writes layout 3 of postings and lines. Until the change-over the stream in force writes layout 2 of
them (`RowKind.as_of`), and reads no later one.
"""

from __future__ import annotations

from pipeline.domain.kernel.layouts import RowKind, append_fields
from pipeline.domain.kernel.retention import QueueKind

_NOT_KNOWN = append_fields(None)
"""When it has ended: the first version did not say it, so such a row is never over."""
_POSTING_BEFORE = append_fields(0, 0, (), (), (), 0, 0, "WAITING", b"", (), (), "")
_LINE_BEFORE = append_fields(
    *(0, "", (), None, (), (), "", None, 0, (), (), 0, 0, "WAITING", b"", (), (), "", b"")
)
"""What an item of layout 2 has in the fields of the desk: its form is 0 (`desk.rows.EARLIER`)."""
WATERMARK_ROW = RowKind("reconciliation", "watermark", "w")
POSTING_ROW = RowKind("reconciliation", "posting", "o", [_NOT_KNOWN, _POSTING_BEFORE])
LINE_ROW = RowKind("reconciliation", "line", "l", [_NOT_KNOWN, _LINE_BEFORE])
BREAK_ROW = RowKind("reconciliation", "break", "b")
ENDED = QueueKind("reconciliation", "ended", "qx")
IN_FORCE = 2
"""The layout of postings and lines that the stream in force writes."""
