"""The settings of the lifecycle: how long a payment may wait, in event time."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.kernel.settings import ConceptSettings

_SECONDS_PER_YEAR = 31_536_000


class LifecycleSettings(
    ConceptSettings,
    frozen=True,
    rename={"stuck_after_s": "stuck_after_seconds", "review_after_s": "review_after_seconds"},
):
    """How long a payment may wait before it is stuck: for the ledger or its settlement, and for a review."""

    stuck_after_s: Annotated[
        int,
        Meta(ge=1, le=_SECONDS_PER_YEAR, description="Event time without progress until a payment is stuck."),
    ] = 3_600
    review_after_s: Annotated[
        int,
        Meta(ge=1, le=_SECONDS_PER_YEAR, description="The same for one that is held for a review."),
    ] = 28_800


SETTINGS = LifecycleSettings
