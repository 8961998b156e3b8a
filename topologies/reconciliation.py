"""The reconciliation stream: matches bank statements with the postings of nostro accounts, and keeps breaks.

reconciliation-items --> Desk, or DeskBatch for large batches --> reconciliation-results
   ^                      |                                   --> ledger-commands (approved corrections)
   +----------------------+-- reconciliation_continued: what is due in an account goes on
                          |
                    table: reconciliation (items, matches, statements, breaks, figures of days, weights)
"""

from __future__ import annotations

from pipeline.domain.reconciliation.desk.batch import DeskBatch
from pipeline.domain.reconciliation.desk.rules import Desk
from pipeline.domain.reconciliation.views import VIEWS
from pipeline.domain.tenants.settings import TenantsSettings
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.tenants import tenants
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that match items. Raises SettingsError for a bad file of tenants."""
    given = tenants(configuration).break_rules, windows(configuration)
    return Desk(*given), DeskBatch(*given)


STREAMS = (
    Topology(
        name="reconciliation",
        source="reconciliation-items",
        rules=rules,
        table="reconciliation",
        outputs=("reconciliation-items", "reconciliation-results", "ledger-commands"),
        settings=(TenantsSettings, *WINDOW_SETTINGS),
        views=VIEWS,
        delay_tolerant=True,
    ),
)
