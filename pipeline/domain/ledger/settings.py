"""The settings of the ledger."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.domain.kernel.settings import ConceptSettings


class LedgerSettings(ConceptSettings, frozen=True):
    """How long the ledger remembers ids."""

    dedupe_window_days: Annotated[
        int, Meta(ge=1, le=3650, description="Event time an id is kept; older is too_old.")
    ] = 90


SETTINGS = LedgerSettings
