"""The row of an alert: keyed by debtor, so that the alerts of an account are adjacent.

    a tenant account payment -> the verdict, and the payment
    h, j number              -> the queue of alerts, and its buckets (`kernel.retention`)

It is written when the alert is raised. Before the stream raises an alert for a repeated payment id, it checks
whether the row exists. A review does not remove the row.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.layouts import RowKind, append_fields, unpacker
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import row_key

FAMILY = "a"
ALERT_ROW = RowKind("fraud", "alert", FAMILY, [append_fields(None)])
ALERTED = QueueKind("fraud", "alerted", "hj")
ALERTED_ROW, ALERTED_BUCKET_ROW = ALERTED.state, ALERTED.bucket


class Alert(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A payment that was held for review or declined."""

    at_us: int
    """Event time of the decision."""
    verdict: Verdict
    creditor_account_id: str
    amount_minor: int
    currency: str
    alert_id: str | None = None
    """The alert that the payment belongs to; None: an earlier version raised one for it alone."""


def alert_key(tenant_id: str, account_id: str, payment_id: str) -> bytes:
    """Return the row key of the alert on a payment of an account."""
    return row_key(FAMILY, tenant_id, account_id, payment_id)


def alert_of(event: PaymentInitiated, at_us: int, verdict: Verdict) -> Alert:
    """Return the alert on a payment."""
    return Alert(at_us, verdict, event.creditor_account_id, event.amount_minor, event.currency)


def pack_alert(alert: Alert) -> bytes:
    """Return the row of an alert."""
    return ALERT_ROW.pack(alert)


read_alert = unpacker(ALERT_ROW, Alert)
"""Return the alert of a row. Raises UnreadableRow."""
