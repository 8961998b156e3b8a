"""What a payment says that it is for: a creditor reference that is none is refused before it is paid by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.outbox import Reject
from schemas.remittance import is_creditor_reference


def check_creditor_reference(event: PaymentInitiated) -> None:
    """Raise `Reject` (invalid_creditor_reference) for one that is not compact, or has wrong check digits."""
    reference = event.creditor_reference
    if reference is not None and not is_creditor_reference(reference):
        raise Reject("invalid_creditor_reference", "creditor_reference")


def wrong_creditor_references(references: pa.Array) -> np.ndarray:
    """Return which of a column (string, nullable) `check_creditor_reference` refuses; bool."""
    wrong = np.zeros(len(references), bool)
    given = np.flatnonzero(references.is_valid().to_numpy(zero_copy_only=False))
    wrong[given] = [not is_creditor_reference(one) for one in references.drop_null().to_pylist()]
    return wrong
