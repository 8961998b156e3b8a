"""The rules of reconciliation with what its operator has set; `batch` has the same by columns."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import RowsBothWays
from pipeline.domain.reconciliation.desk.reads import keys
from pipeline.domain.reconciliation.desk.stream import WINDOWS, apply
from pipeline.domain.tenants.break_rules import RulesOf, no_rules


class Desk:
    """One event after the other; holds no state."""

    keys = staticmethod(keys)

    def __init__(self, rules_of: RulesOf = no_rules, windows: Windows = WINDOWS) -> None:
        """`rules_of`: what a tenant says about its breaks; `windows`: how long what has ended is kept."""
        self._rules_of, self._windows = rules_of, windows

    def apply(self, event: Any, at: Arrival, rows: RowsBothWays, out: Outbox) -> None:
        """Apply one event of reconciliation-items. Raises Reject as `stream.apply`."""
        apply(event, at, rows, out, self._rules_of(event.tenant_id), self._windows)
