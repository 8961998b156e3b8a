"""The ledger stream: the double-entry balances.

ledger-commands --> Ledger, or LedgerBatch for large batches --> postings, balances
                         |                                         payment-events, journal-events
                         |                                         ledger-commands (legs and their answers)
                         |                                         reconciliation-items (nostro postings)
                    table: ledger --> /balances, /journals
"""

from __future__ import annotations

import msgspec

from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.settings import LedgerSettings
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.ledger.views import VIEWS
from pipeline.domain.tenants.settings import TenantsSettings
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.tenants import tenants
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that keep the balances. Raises SettingsError for a bad file of tenants."""
    settings = msgspec.structs.asdict(configuration.of(LedgerSettings))
    given = LedgerRules(
        **settings,
        tenants=tenants(configuration),
        reversal_window_days=windows(configuration).reversals_days,
    )
    return Ledger(given), LedgerBatch(given)


STREAMS = (
    Topology(
        name="ledger",
        source="ledger-commands",
        rules=rules,
        table="ledger",
        outputs=(
            *("postings", "balances", "payment-events", "journal-events"),
            *("ledger-commands", "reconciliation-items"),
        ),
        settings=(*WINDOW_SETTINGS, TenantsSettings),
        views=VIEWS,
    ),
)
