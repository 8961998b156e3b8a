"""The row of an alert: under its debtor, so that the alerts of an account stand together.

    a tenant account payment -> what was decided, of which payment

It is written with the alert; the stream looks whether it is there before it raises one for an id that comes
again. An alert stays one: a review does not remove it.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.rows import row_key

FAMILY = "a"
LAYOUT = 1
_HEAD = bytes([LAYOUT])


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A payment that was held for review or declined."""

    at_us: int
    """Event time of the decision."""
    verdict: Verdict
    creditor_account_id: str
    amount_minor: int
    currency: str


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Alert).decode


def alert_key(tenant_id: str, account_id: str, payment_id: str) -> bytes:
    """Return the row key of the alert on a payment of an account."""
    return row_key(FAMILY, tenant_id, account_id, payment_id)


def alert_of(event: PaymentInitiated, at_us: int, verdict: Verdict) -> Alert:
    """Return the alert on a payment."""
    return Alert(at_us, verdict, event.creditor_account_id, event.amount_minor, event.currency)


def pack_alert(alert: Alert) -> bytes:
    """Return the row of an alert."""
    return _HEAD + _ENCODE(alert)


def read_alert(row: bytes) -> Alert:
    """Return the alert of a row. Raises ValueError for a layout that this version does not know."""
    if row[0] != LAYOUT:
        raise ValueError(f"alert row of unknown layout {row[0]}")
    return _DECODE(memoryview(row)[1:])
