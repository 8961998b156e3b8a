"""The intake streams: copy every upstream topic into the log of its state machine.

accounts     --> intake-accounts     --> ledger-commands (the end of a period: every partition)
payments     --> intake-payments     --> fraud-commands, where the worker adds ticks
journals     --> intake-journals     --> ledger-commands
approvals    --> intake-approvals    --> ledger-commands
statements   --> intake-statements   --> reconciliation-items
trades       --> intake-trades       --> position-commands
prices       --> intake-prices       --> position-commands (every partition)
rates        --> intake-rates        --> ledger-commands (every partition)
fraud-labels --> intake-fraud-labels --> fraud-commands
fraud-rules  --> intake-fraud-rules  --> fraud-commands (every partition)
break-actions  --> intake-break-actions  --> reconciliation-items
matching-rules --> intake-matching-rules --> reconciliation-items (every partition)

`fraud_intake` has what the log of fraud decisions gets besides: accounts, rates, postings;
`reconciliation_intake` what that of reconciliation gets: rates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.domain.fraud.publishing.checks import check_publication
from pipeline.domain.intake.batch import PaymentsBatch
from pipeline.domain.intake.stream import Intake
from pipeline.domain.kernel.columns import BatchPath
from pipeline.domain.reconciliation.desk.broadcasts import check_weights
from topologies.topology import Topology


def _stream(
    source: str,
    target: str,
    batch: BatchPath | None = None,
    check: Callable[[Any], None] | None = None,
) -> Topology:
    rules = Intake(source, target, check)
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
    _stream("fraud-labels", "fraud-commands"),
    _stream("fraud-rules", "fraud-commands", check=check_publication),
    _stream("break-actions", "reconciliation-items"),
    _stream("matching-rules", "reconciliation-items", check=check_weights),
)
