"""The intake streams: copy every upstream topic except payments into the log of its state machine.

accounts   --> intake-accounts   --> ledger-commands (the end of a period: every partition)
journals   --> intake-journals   --> ledger-commands
statements --> intake-statements --> reconciliation-items
trades     --> intake-trades     --> position-commands
prices     --> intake-prices     --> position-commands (every partition)
"""

from __future__ import annotations

from pipeline.domain.intake.stream import Intake
from topologies.topology import Topology


def _stream(source: str, target: str) -> Topology:
    rules = Intake(source, target)
    return Topology(f"intake-{source}", source, lambda _: (rules, None), outputs=(target,))


STREAMS = (
    _stream("accounts", "ledger-commands"),
    _stream("journals", "ledger-commands"),
    _stream("statements", "reconciliation-items"),
    _stream("trades", "position-commands"),
    _stream("prices", "position-commands"),
)
