"""The ledger stream.

ledger-commands --> Ledger, or LedgerBatch for large batches --> postings, balances, payment-events
                         |                                         ledger-commands (legs and their answers)
                    table: ledger                       reconciliation-items (postings of nostro accounts)
"""

from __future__ import annotations

from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec
from topologies.tenants import tenants


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that keeps the double-entry balances."""
    rules = LedgerRules(dedupe_window_days=settings.dedupe_window_days, tenants=tenants(settings))
    vector = LedgerBatch(rules)
    return [StreamSpec("ledger", "ledger-commands", Ledger(rules), table="ledger", vector=vector)]
