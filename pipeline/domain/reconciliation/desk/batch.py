"""The batch path of the desk: the rules of `stream`, with one `AccountDesk` an account for a whole run.

    run of columns -> events -> rows that they need, in one read -> each event, in order
        -> rows: decoded, encoded and written once; index rows only of items that are open at the end

Accounts share no rows but the branch's clock and what is broadcast. What people say, weights and rates end
the run: the row path applies them, and the next run reads what they have written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import RuleBatch, blocks_of, column_types
from pipeline.domain.kernel.columns import Block, Run
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import RowsBothWays
from pipeline.domain.reconciliation.desk import time
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.reads import keys_of_account, keys_of_item
from pipeline.domain.reconciliation.desk.stream import WINDOWS, apply_to, open_account
from pipeline.domain.tenants.break_rules import NO_RULES, BreakRules

CLASSES = (
    *(ev.PostingRecorded, ev.StatementLine, ev.StatementClosed),
    *(ev.ReconciliationContinued, ev.BranchTicked),
)
_UNREAD = frozenset(
    (
        *("account_type", "balance_minor_after", "branch", "held_minor_after", "effective_at", "reason"),
        *("rate_e8", "asked_at", "approved_by", "lowest_balance_minor", "exchange", "transaction_code"),
    )
)
"""What no rule of the desk looks at."""
FIELDS = {
    name: kind for event in CLASSES for name, kind in column_types(event).items() if name not in _UNREAD
} | {
    "value_date": pa.int32()  # days; Arrow converts dates to no other integer type
}


class DeskBatch(RuleBatch):
    """Applies runs of events to the rows of one partition; holds only what tenants have set."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, rules: BreakRules = NO_RULES, windows: Windows = WINDOWS) -> None:
        self._given = rules, windows

    def _open(self, run: Run, events: Sequence[Any], rows: RowsBothWays) -> _OpenRun:
        counts = Counter(
            [
                (event.tenant_id, event.account_id)
                for event in events
                if not isinstance(event, ev.BranchTicked)
            ]
        )
        rows.prefetch(
            [
                *(key for account in counts for key in keys_of_account(*account)),
                *(key for event in events for key in keys_of_item(event)),
            ]
        )
        return _OpenRun(run, counts, rows, *self._given)


class _OpenRun:
    """The accounts that a run is about, and the branch's clock."""

    def __init__(
        self,
        run: Run,
        counts: dict[tuple[str, str], int],
        rows: RowsBothWays,
        rules: BreakRules,
        windows: Windows,
    ) -> None:
        """`counts`: how many events each account has in the run."""
        self._rows, self._counts, self._rules, self._windows = rows, counts, rules, windows
        self._at = Arrival(0, run.partition, run.partitions)
        self._clock = time.BranchClock(rows)
        self._accounts: dict[tuple[str, str], AccountDesk] = {}
        self._out = Outbox()

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event; see `kernel.batch.OpenRun`."""
        if recorded_at != self._at.recorded_at:
            self._at = Arrival(recorded_at, self._at.partition, self._at.partitions)
        if isinstance(event, ev.BranchTicked):
            self._clock.advance(time.time_of(event, self._at))
        else:
            account = self._account(event.tenant_id, event.account_id)
            apply_to(account, self._clock, event, self._at, self._out, self._rules, self._windows)
        self._clock.wake(event, self._out)

    def _account(self, tenant_id: str, account_id: str) -> AccountDesk:
        named = tenant_id, account_id
        found = self._accounts.get(named)
        if found is None:
            count = self._counts[named]
            found = self._accounts[named] = open_account(self._rows, *named, self._windows, count)
        return found

    def close(self) -> Sequence[Block]:
        """Write the changed rows and return the outputs; see `kernel.batch.OpenRun`."""
        for account in self._accounts.values():
            account.close()
        self._clock.close()
        return blocks_of(self._out.items)
