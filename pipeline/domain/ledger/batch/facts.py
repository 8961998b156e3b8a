"""What the rules of the batch path know of a run: the columns that they read, and what stands in rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import ACTOR_COLUMN, EXCHANGE_COLUMN, METADATA_COLUMN, Run
from pipeline.domain.ledger.batch.accounts import RunAccounts
from pipeline.domain.ledger.payment_row import Payment

CLASSES = (
    ev.PaymentDecided,
    ev.LegRequested,
    ev.LegPosted,
    ev.LegRefused,
    ev.PaymentReviewed,
    ev.PaymentCancelled,
)
DECIDED, LEG_REQUESTED, LEG_POSTED, LEG_REFUSED, REVIEWED, CANCELLED = range(len(CLASSES))

FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(
        ("event_id", "tenant_id", "correlation_id", "payment_id", "leg_id", "link_id"), pa.string()
    ),
    **dict.fromkeys(("account_id", "debtor_account_id", "creditor_account_id"), pa.string()),
    **dict.fromkeys(("currency", "reference", "outcome", "code", "payment_type"), pa.string()),
    "approved_by": pa.string(),
    **dict.fromkeys(("occurred_at", "amount_minor"), pa.int64()),
    **dict.fromkeys(("hold_expires_at", "effective_at", "expected_sequence", "rate_e8"), pa.int64()),
    "execute_at": pa.int64(),
    "creditor_currency": pa.string(),
    **dict.fromkeys(("approved", "hold", "balancing"), pa.bool_()),
    "capture_tolerance_bp": pa.int32(),
    "actor": ACTOR_COLUMN,
    "metadata": METADATA_COLUMN,
    "exchange": EXCHANGE_COLUMN,
}
"""The columns of commands that the rules read."""

AMOUNT_MAX = 2**48
COUNTER_MAX = 2**60
TIME_MAX = 2**61
"""Commands with larger figures are irregular. So every sum of a run (8,192 commands) fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A run with all that its rules look up; arrays have one element for each command."""

    run: Run
    columns: dict[str, pa.Array]
    """The run's columns; fields that reviews, cancellations and answers lack come from their payment."""
    regular: np.ndarray
    accounts: RunAccounts
    debtor: np.ndarray
    """Number of the account in `accounts`, as `creditor` and `clearing`."""
    creditor: np.ndarray
    clearing: np.ndarray
    local: np.ndarray
    """Whether the creditor lives on this branch."""
    amount: np.ndarray
    currency: np.ndarray
    row_keys: pa.Array
    """The key of the row of the command's payment or leg; binary."""
    payments: dict[int, Payment | None]
    """By position of a leg's answer, a review or a cancellation: its payment."""
    answers: dict[int, str]
    """By position of a repeated payment id: the result code of its answer."""
    repeat_of: dict[int, int]
    """By position of a repeated payment id: the position of the first one, if it is in this run."""
    watermark: int | None
    next_due: int | None
    """Nothing falls due on the branch before this time, microseconds UTC; None: nothing is scheduled."""
    ended: dict[int, int]
    """By position of a command on a known payment that has ended: when; event time, microseconds UTC."""
    behind: dict[int, int]
    """By position of a repeated payment id: the position of the first command on it, if that is another."""
    home: np.ndarray
    """The branch of the debtor."""
    told: dict[int, int]
    """By branch that has sent legs: the newest time it has said before the run."""
    next_walk: int | None
    """When the walk through earlier rows goes on; None: the table has yet to begin."""
