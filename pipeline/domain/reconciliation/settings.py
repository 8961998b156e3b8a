"""The settings of reconciliation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.kernel.settings import ConceptSettings

AMOUNT_LIMIT = 2**61
"""Larger amounts, minor units, are rejected, so that sums and differences fit into 64 bits."""


class ReconciliationSettings(
    ConceptSettings,
    frozen=True,
    rename={
        "date_window_days": "reconciliation_date_window_days",
        "amount_tolerance_minor": "reconciliation_tolerance_minor",
        "grace_days": "reconciliation_grace_days",
    },
):
    """How close matching items must be, and when an unmatched item is a break.

    The upper bounds limit the work of one event.
    """

    date_window_days: Annotated[
        int, Meta(ge=0, le=31, description="Between value and posting date, where the amount decides.")
    ] = 3
    amount_tolerance_minor: Annotated[
        int, Meta(ge=0, le=AMOUNT_LIMIT, description="Amounts this far apart still match.")
    ] = 0
    grace_days: Annotated[
        int, Meta(ge=0, le=365, description="Event time an item may wait before it is a break.")
    ] = 2


SETTINGS = ReconciliationSettings
