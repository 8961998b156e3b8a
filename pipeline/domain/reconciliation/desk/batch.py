"""The batch path of the desk: the rules of `stream`, with one `AccountDesk` an account for a whole run.

    run of columns -> events -> rows that they need, in one read -> each event, in order
        -> rows: decoded, encoded and written once; index rows only of items that are open at the end

Accounts share no rows but the branch's clock and what is broadcast. What people say, weights and rates end
the run: the row path applies them, and the next run reads what they have written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from pipeline.domain.reconciliation.desk.clean_path import take
from pipeline.domain.reconciliation.desk.reads import LineRows, keys_of_account, keys_of_item, rows_of_line
from pipeline.domain.reconciliation.desk.stream import WINDOWS, apply_to, open_account
from pipeline.domain.tenants.break_rules import RulesOf, no_rules

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

    def __init__(self, rules_of: RulesOf = no_rules, windows: Windows = WINDOWS) -> None:
        """As `rules.Desk`."""
        self._given = rules_of, windows

    def _open(self, run: Run, events: Sequence[Any], rows: RowsBothWays) -> _OpenRun:
        counts = Counter(
            [
                (event.tenant_id, event.account_id)
                for event in events
                if not isinstance(event, ev.BranchTicked)
            ]
        )
        lines = [rows_of_line(event) if isinstance(event, ev.StatementLine) else None for event in events]
        keys = [key for account in counts for key in keys_of_account(*account)]
        for event, line in zip(events, lines, strict=True):
            keys += keys_of_item(event) if line is None else line.keys
        rows.prefetch(keys)
        opened = _OpenRun(rows, Arrival(0, run.partition, run.partitions), counts, *self._given)
        opened.lines = iter(lines)
        return opened


class DeskRun:
    """Events of a partition, one after the other; the rows of each account are decoded and written once."""

    def __init__(
        self,
        rows: RowsBothWays,
        at: Arrival,
        counts: Mapping[tuple[str, str], int],
        rules_of: RulesOf = no_rules,
        windows: Windows = WINDOWS,
    ) -> None:
        """`at`: where the log is; `counts`: about how many events each account has in the run."""
        self.out = Outbox()
        self._rows, self._at, self._counts = rows, at, counts
        self._rules_of, self._windows = rules_of, windows
        self._clock = time.BranchClock(rows)
        self._accounts: dict[tuple[str, str], AccountDesk] = {}

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event, of CLASSES. Raises Reject, and nothing has changed then."""
        self._apply(event, recorded_at, None)

    def _apply(self, event: Any, recorded_at: int, line: LineRows | None) -> None:
        time_us = min(event.occurred_at, recorded_at)  # as `time.time_of`
        if isinstance(event, ev.BranchTicked):
            self._clock.advance(time_us)
        else:
            account = self._account(event.tenant_id, event.account_id)
            rules = self._rules_of(event.tenant_id)
            if not take(account, self._clock, event, time_us, line, self.out, rules):
                at = Arrival(recorded_at, self._at.partition, self._at.partitions)
                known = None if line is None else line.line
                apply_to(account, self._clock, event, at, self.out, rules, self._windows, known)
        self._clock.wake(event, self.out)

    def _account(self, tenant_id: str, account_id: str) -> AccountDesk:
        named = tenant_id, account_id
        found = self._accounts.get(named)
        if found is None:
            count = self._counts[named]
            found = self._accounts[named] = open_account(self._rows, *named, self._windows, count)
        return found

    def write(self) -> None:
        """Write the changed rows: the run is over."""
        for account in self._accounts.values():
            account.close()
        self._clock.close()


class _OpenRun(DeskRun):
    """A run whose outputs are columns (`kernel.batch.OpenRun`)."""

    lines: Iterator[LineRows | None]
    """Of the events to come: a statement's line as the chain knows it."""

    def apply(self, event: Any, recorded_at: int) -> None:
        """Apply the next event. Raises Reject, and nothing has changed then."""
        self._apply(event, recorded_at, next(self.lines))

    def close(self) -> Sequence[Block]:
        """Write the changed rows and return the outputs."""
        self.write()
        return blocks_of(self.out.items)
