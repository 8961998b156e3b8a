"""The reconciliation stream: matches bank statements with the postings of nostro accounts.

reconciliation-items --> Reconciliation, or ReconciliationBatch for large batches --> reconciliation-results
                                  |
                            table: reconciliation (open items, claims, breaks) --> /breaks
"""

from __future__ import annotations

from pipeline.domain.reconciliation.batch import ReconciliationBatch
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import Reconciliation
from pipeline.domain.reconciliation.views import VIEWS
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that match items."""
    given = configuration.of(ReconciliationSettings)
    kept = windows(configuration)
    return Reconciliation(given, kept), ReconciliationBatch(given, kept)


STREAMS = (
    Topology(
        name="reconciliation",
        source="reconciliation-items",
        rules=rules,
        table="reconciliation",
        outputs=("reconciliation-results",),
        settings=(ReconciliationSettings, *WINDOW_SETTINGS),
        views=VIEWS,
        delay_tolerant=True,
    ),
)
