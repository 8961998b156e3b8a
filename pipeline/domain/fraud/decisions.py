"""The row of a decision, by payment id: the verdict, and on what it was made.

    d tenant payment -> time, debtor, content, verdict; the payment itself while it waits for a reviewer
    e, g number      -> the queue of decisions, and its buckets (`kernel.retention`)

It is used to recognise a repeated payment id, and to add a payment to the debtor's habits when a reviewer
approves it.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.fraud.profile import Attempt
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import row_key

FAMILY = "d"
DECISION_ROW = RowKind("fraud", "decision", FAMILY)
DECIDED = QueueKind("fraud", "decided", "eg")
DECIDED_ROW, DECIDED_BUCKET_ROW = DECIDED.state, DECIDED.bucket


class Decision(msgspec.Struct, array_like=True, gc=False):
    """The decision on a payment id."""

    at_us: int
    """Event time of the decision."""
    debtor: int
    """Hash of the debtor's account id (`profile.id64`), as `content`."""
    content: int
    """Hash of what an approval is bound to (`screening.content_of`)."""
    verdict: Verdict
    held: Attempt | None = None
    """The payment while it waits for a reviewer; an approval adds it to the debtor's habits."""


def decision_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the key of the decision on a payment id."""
    return row_key(FAMILY, tenant_id, payment_id)


def pack_decision(decision: Decision) -> bytes:
    """Return the row of a decision."""
    return DECISION_ROW.pack(decision)


read_decision = unpacker(DECISION_ROW, Decision)
"""Return the decision of a row. Raises UnreadableRow."""
