"""How long rows are kept, from the settings: the same windows for every stream."""

from __future__ import annotations

from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.settings import RetentionSettings
from pipeline.domain.ledger.settings import LedgerSettings
from topologies.configuration import Configuration

WINDOW_SETTINGS = (LedgerSettings, RetentionSettings)


def windows(configuration: Configuration) -> Windows:
    """Return the windows for duplicates and for reversals."""
    return Windows(
        configuration.of(LedgerSettings).dedupe_window_days,
        configuration.of(RetentionSettings).reversal_window_days,
    )
