"""The reconciliation stream.

reconciliation-items --> Reconciliation, or ReconciliationBatch for large batches --> reconciliation-results
                                  |
                            table: reconciliation (open items, claims, breaks)
"""

from __future__ import annotations

from pipeline.domain.reconciliation import stream as reconciliation
from pipeline.domain.reconciliation.batch import ReconciliationBatch
from pipeline.domain.reconciliation.results import ReconciliationRules
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import LINGER_S, StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that matches bank statements with the postings of nostro accounts."""
    rules = ReconciliationRules(
        date_window_days=settings.reconciliation_date_window_days,
        amount_tolerance_minor=settings.reconciliation_tolerance_minor,
        grace_days=settings.reconciliation_grace_days,
    )
    return [
        StreamSpec(
            "reconciliation",
            "reconciliation-items",
            reconciliation.Reconciliation(rules),
            table="reconciliation",
            vector=ReconciliationBatch(rules),
            linger_s=LINGER_S,
        )
    ]
