"""The batch path of reconciliation: the rules of `stream`, with one `AccountRows` for each account of a run.

Rows are read, decoded, encoded and written once a run, and index rows only for items that are still open at
its end. Accounts share no rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.batch import RuleBatch, blocks_of, column_types
from pipeline.domain.kernel.columns import Block, Run
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.matching import open_account
from pipeline.domain.reconciliation.results import Input
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import DEFAULTS, WINDOWS, apply_to, keys

CLASSES = (ev.PostingRecorded, ev.StatementLine, ev.StatementClosed)
_UNREAD = frozenset(
    (
        *("actor", "metadata"),
        *("counterparty_name", "counterparty_account", "end_to_end_id", "bank_reference", "transaction_code"),
        *("is_reversal", "entry_kind", "original_amount_minor", "original_currency", "fee_minor", "details"),
        *("sequence_no", "from_at", "page"),
    )
)
"""What no rule of this stream looks at."""
FIELDS = {
    name: kind for event in CLASSES for name, kind in column_types(event).items() if name not in _UNREAD
} | {
    "value_date": pa.int32()  # days; Arrow converts dates to no other integer type
}


class ReconciliationBatch(RuleBatch):
    """Applies runs of postings and statement events to the rows of one partition; holds only the settings."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, settings: ReconciliationSettings = DEFAULTS, windows: Windows = WINDOWS) -> None:
        self._settings, self._windows = settings, windows

    def _open(self, run: Run, events: Sequence[Input], rows: PrefetchingRows) -> _RunOfItems:
        rows.prefetch([key for event in events for key in keys(event)])
        counts = Counter([(event.tenant_id, event.account_id) for event in events])
        return _RunOfItems(self._settings, self._windows, run, counts, rows)


class _RunOfItems:
    """The accounts of the accounts that a run is about."""

    def __init__(
        self,
        settings: ReconciliationSettings,
        windows: Windows,
        run: Run,
        counts: dict[tuple[str, str], int],
        rows: PrefetchingRows,
    ) -> None:
        self._settings, self._windows, self._rows, self._counts = settings, windows, rows, counts
        self._at = Arrival(0, run.partition, run.partitions)
        self._accounts: dict[tuple[str, str], AccountRows] = {}
        self._out = Outbox()

    def apply(self, event: Input, recorded_at: int) -> None:
        """Apply the next event; see `OpenRun`."""
        account = event.tenant_id, event.account_id
        account_rows = self._accounts.get(account)
        if account_rows is None:
            count = self._counts[account]
            account_rows = open_account(self._rows, *account, self._settings, self._windows, count)
            self._accounts[account] = account_rows
        if recorded_at != self._at.recorded_at:
            self._at = Arrival(recorded_at, self._at.partition, self._at.partitions)
        apply_to(account_rows, event, self._at, self._out, self._settings)

    def close(self) -> Sequence[Block]:
        """Write the changed rows and return the outputs; see `OpenRun`."""
        for account_rows in self._accounts.values():
            account_rows.close()
        return blocks_of(self._out.items)
