"""Validation of creditor references (ISO 11649): payments with an invalid one are dead letters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.outbox import Reject
from schemas.remittance import is_creditor_reference


def check_creditor_reference(event: PaymentInitiated) -> None:
    """Check the creditor reference of a payment, if it has one.

    Raises Reject (invalid_creditor_reference) if it is not compact or has wrong check digits.
    """
    reference = event.creditor_reference
    if reference is not None and not is_creditor_reference(reference):
        raise Reject("invalid_creditor_reference", "creditor_reference")


def wrong_creditor_references(references: pa.Array) -> np.ndarray:
    """Return which references of a column (string, nullable) are invalid; one bool for each."""
    wrong = np.zeros(len(references), bool)
    given = np.flatnonzero(references.is_valid().to_numpy(zero_copy_only=False))
    wrong[given] = [not is_creditor_reference(one) for one in references.drop_null().to_pylist()]
    return wrong
