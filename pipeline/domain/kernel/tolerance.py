"""Validity of a payment's tolerance: how much more than is held may be captured, in basis points."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.times import hold_end

TOLERANCE_BP_MAX = 10_000
"""As much again as is held."""


def check_tolerance(event: Any) -> None:
    """Check the tolerance of a payment, if it has one.

    Raises Reject (invalid_tolerance) beyond 0 to TOLERANCE_BP_MAX, and for a payment that is no hold, or is
    between two currencies: what was converted at its rate is what was reserved, no more.
    """
    tolerance = event.capture_tolerance_bp
    if tolerance is None:
        return
    exchanged = event.creditor_currency not in (None, event.currency)
    if not 0 <= tolerance <= TOLERANCE_BP_MAX or hold_end(event) is None or exchanged:
        raise Reject("invalid_tolerance", "capture_tolerance_bp")
