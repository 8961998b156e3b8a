"""The intake streams: copy every upstream topic into the log of its state machine.

accounts   --> intake-accounts   --> ledger-commands (the end of a period: every partition)
payments   --> intake-payments   --> fraud-commands, where the worker adds ticks
journals   --> intake-journals   --> ledger-commands
approvals  --> intake-approvals  --> ledger-commands
statements --> intake-statements --> reconciliation-items
trades     --> intake-trades     --> position-commands
prices     --> intake-prices     --> position-commands (every partition)
rates      --> intake-rates      --> ledger-commands (every partition)
"""

from __future__ import annotations

from pipeline.domain.intake.batch import PaymentsBatch
from pipeline.domain.intake.stream import Intake
from pipeline.domain.kernel.columns import BatchPath
from topologies.topology import Topology


def _stream(source: str, target: str, batch: BatchPath | None = None) -> Topology:
    rules = Intake(source, target)
    return Topology(f"intake-{source}", source, lambda _: (rules, batch), outputs=(target,))


STREAMS = (
    _stream("accounts", "ledger-commands"),
    _stream("payments", "fraud-commands", PaymentsBatch("fraud-commands")),
    _stream("journals", "ledger-commands"),
    _stream("approvals", "ledger-commands"),
    _stream("statements", "reconciliation-items"),
    _stream("trades", "position-commands"),
    _stream("prices", "position-commands"),
    _stream("rates", "ledger-commands"),
)
