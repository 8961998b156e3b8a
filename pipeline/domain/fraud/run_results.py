"""What a run says of its events."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.fraud.decisions import Decision
from pipeline.domain.fraud.score import Verdict


class Decided(msgspec.Struct, frozen=True, gc=False):
    """Of a payment."""

    verdict: Verdict
    alert_id: str | None
    """The alert that it raises or joins; None: it raises none."""


class Funds(msgspec.Struct, frozen=True, gc=False):
    """Of a posting that debits a payment's debtor: what its receiver is told."""

    decision: Decision
    """With the payment's time, and where its money was before."""


class Labelled(msgspec.Struct, frozen=True, gc=False):
    """Of a label: what the payee's partition is told."""

    creditor_account_id: str
    debtor_account_id: str
    paid_us: int
    label: str
    """FRAUD, or GENUINE for one that is withdrawn."""
    labelled_us: int
    """When it was labelled FRAUD."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """Of a receipt or a label of a payee: its card, for all partitions."""

    account_id: str
    as_of_us: int
    card: bytes
    """The row of the card."""


class Drifted(msgspec.Struct, frozen=True, gc=False):
    """Of a day that is over: payments are spread otherwise than in the training of the live model."""

    cause: Any
    """The event that has moved the tenant's time beyond the day."""
    model: str
    partition: int
    day: int
    """Since 1970-01-01."""
    payments: int
    drifted: list[tuple[str, int]]
    """Features, and the index of each, basis points."""


Result = Decided | Funds | Labelled | Told | Drifted
