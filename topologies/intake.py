"""The intake streams: every upstream topic but payments, into the log of its state machine.

accounts   --> intake-accounts   --> ledger-commands (the end of a period: every partition)
journals   --> intake-journals   --> ledger-commands
statements --> intake-statements --> reconciliation-items
trades     --> intake-trades     --> position-commands
prices     --> intake-prices     --> position-commands (every partition)
"""

from __future__ import annotations

from pipeline.domain.intake.stream import Intake
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec

TARGETS = {
    "accounts": "ledger-commands",
    "journals": "ledger-commands",
    "statements": "reconciliation-items",
    "trades": "position-commands",
    "prices": "position-commands",
}


def build(settings: Settings) -> list[StreamSpec]:
    """Return the five intake streams; they keep no table."""
    return [
        StreamSpec(f"intake-{source}", source, Intake(source, target), table=None)
        for source, target in TARGETS.items()
    ]
