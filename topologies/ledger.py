"""The ledger stream.

ledger-commands --> Ledger.apply --> postings, balances, payment-events
                         |           ledger-commands (legs to other branches and their answers)
                    table: ledger    reconciliation-items (postings of nostro accounts)
"""

from __future__ import annotations

from pipeline.domain.ledger import Ledger, LedgerRules
from pipeline.runtime.settings import Settings
from pipeline.runtime.task import StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that keeps the double-entry balances."""
    rules = Ledger(LedgerRules(dedupe_window_days=settings.dedupe_window_days))
    return [StreamSpec("ledger", "ledger-commands", rules, table="ledger")]
