"""Kinds of rows that reconciliation has had from the first, and what of earlier ones the desk reads.

The desk writes layout 3 of postings and lines; layouts 1 and 2 are those of the stream before it.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import RowKind, append_fields
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import row_key

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
STATEMENT_ROW = RowKind("reconciliation", "statement", "s", [_NOT_KNOWN])
CHAIN_ROW = RowKind("reconciliation", "chain", "k")
CLAIM_ROW = RowKind("reconciliation", "claim", "c", [_NOT_KNOWN])
"""Statements, their chains and claims of references of the stream before: nobody reads them any more, and
their letters are taken."""
ENDED = QueueKind("reconciliation", "ended", "qx")
ENDED_ROW, ENDED_BUCKET_ROW = ENDED.state, ENDED.bucket
_ENCODE = msgspec.msgpack.Encoder().encode


class Break(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A break as it was opened, and how it ended."""

    type: str
    amount_minor: int
    currency: str
    statement_id: str | None
    line_no: int | None
    posting_id: str | None
    detail: str
    opened_at: int
    resolution: str | None = None
    resolved_at: int | None = None


def watermark_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account's event time."""
    return row_key(WATERMARK_ROW.family, tenant_id, account_id)


def line_digest(event: ev.StatementLine) -> bytes:
    """Return the digest of what the stream before compared of a line."""
    content = (
        event.external_reference,
        event.amount_minor,
        event.currency,
        event.booked_at,
        event.value_date,
        event.description,
    )
    return blake2b(_ENCODE(content), digest_size=16).digest()
