"""The row of a decision, by payment id: the verdict, and on what it was made.

    d tenant payment -> time, debtor, content, verdict; what labels and receipts need of the payment
    e, g number      -> the queue of decisions, and its buckets (`kernel.retention`)

It is used to recognise a repeated payment id, to add a payment to the debtor's habits when a reviewer
approves it, to take it out again when it is labelled fraud, and to tell its receiver where the money was.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.layouts import RowKind, append_fields, unpacker
from pipeline.domain.kernel.retention import QueueKind

FAMILY = "d"
DECISION_ROW = RowKind("fraud", "decision", FAMILY, [append_fields(None)])
DECIDED = QueueKind("fraud", "decided", "eg")
DECIDED_ROW, DECIDED_BUCKET_ROW = DECIDED.state, DECIDED.bucket


class Paid(msgspec.Struct, array_like=True, gc=False):
    """What labels and receipts need of a payment."""

    creditor_account_id: str
    amount_minor: int
    currency: str
    device: int
    """Of the features (`ids.id63`), as `country`; 0 for none."""
    country: int
    origins: list[int]
    """Where the debtor's money was before: account and hops, account and hops; at most four."""
    learned: bool
    """Whether it is one of the debtor's habits."""
    waits: bool
    """Whether it waits for a reviewer."""
    fraud_us: int | None = None
    """When it was labelled fraud; None: it is not."""
    labelled_us: int | None = None
    """When it was labelled last; an older label has no effect."""


class Decision(msgspec.Struct, array_like=True, gc=False):
    """The decision on a payment id."""

    at_us: int
    """Event time of the decision."""
    debtor: int
    """Hash of the debtor's account id (`ids.id64`), as `content`."""
    content: int
    """Hash of what an approval is bound to (`repeated.content_of`)."""
    verdict: Verdict
    held: Any = None
    """The payment while it waited for a reviewer, as an earlier version kept it; nothing reads it."""
    paid: Paid | None = None
    """None: an earlier version decided."""


def decision_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the key of the decision on a payment id."""
    return f"{FAMILY}\0{tenant_id}\0{payment_id}".encode()  # `row_key`, quicker: several for each event


def pack_decision(decision: Decision) -> bytes:
    """Return the row of a decision."""
    return DECISION_ROW.pack(decision)


read_decision = unpacker(DECISION_ROW, Decision)
"""Return the decision of a row. Raises UnreadableRow."""
