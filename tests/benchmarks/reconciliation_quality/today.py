"""Today's stream over files: its rules in memory, item by item in the order of time, then time moves on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.matching import open_account
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import apply_to
from tests.benchmarks.reconciliation_quality.matched import CONFIRMED, Break, Matched, Result, matched

DAYS_AFTER = 45
"""Days that each account's time moves on after its last item."""
TENANT = "bank"


class Today:
    """The stream at some settings. It learns from no labels."""

    def __init__(self, settings: ReconciliationSettings | None = None) -> None:
        self._settings = settings or ReconciliationSettings()

    def __call__(self, postings: pa.Table, lines: pa.Table, labels: pa.Table | None) -> Matched:
        """Return what the stream says; see `matched.Run`."""
        results: list[Result] = []
        breaks: list[Break] = []
        for account, items in _by_account(postings, lines).items():
            one = _Account(account, len(items), self._settings)
            for item in items:
                one.apply(item)
            one.end()
            results += one.results
            breaks += one.breaks.values()
        return matched(results, breaks)


class _Account:
    """One account while its items come."""

    def __init__(self, account_id: str, items: int, settings: ReconciliationSettings) -> None:
        self._id, self._settings = account_id, settings
        # As in the batch path: one set of rows for all events, so that nothing is packed and read again.
        self._rows: AccountRows = open_account(MemoryRows(), TENANT, account_id, settings, Windows(), items)
        self._number = 0
        self._last_at = 0
        self._lines: list[str] = []
        """The id of each line by its number."""
        self.results: list[Result] = []
        self.breaks: dict[tuple[str, str], Break] = {}
        """By break id and item."""
        self._items_of: dict[str, list[str]] = {}
        """By break id."""

    def apply(self, item: dict[str, Any]) -> None:
        """Apply a posting or a line."""
        self._send(self._line(item) if "line_id" in item else self._posting(item))

    def end(self) -> None:
        """Let time move on until all is due: a day at a time, and more often while something is left."""
        for _ in range(DAYS_AFTER):
            self._send(self._tick(self._last_at + MICROSECONDS_PER_DAY))
            while self._rows.is_due(self._last_at):
                self._send(self._tick(self._last_at))

    def _send(self, event: Any) -> None:
        out = Outbox()
        self._last_at = max(self._last_at, event.occurred_at)
        apply_to(self._rows, event, Arrival(event.occurred_at, 0, 1), out, self._settings)
        for _, _, said in out.items:
            self._hear(said)

    def _hear(self, said: Any) -> None:
        if isinstance(said, ev.ItemMatched):
            line_id = self._lines[said.line_no]
            self.results.append(
                Result(line_id, tuple(said.posting_ids), said.tier, CONFIRMED, 0, said.occurred_at)
            )
        elif isinstance(said, ev.BreakOpened):
            items = [] if said.line_no is None else [self._lines[said.line_no]]
            items += [] if said.posting_id is None else [said.posting_id]
            for item in items:
                self._items_of.setdefault(said.break_id, []).append(item)
                self.breaks[said.break_id, item] = Break(item, said.type, said.occurred_at, None)
        else:
            for item in self._items_of[said.break_id]:
                key = said.break_id, item
                self.breaks[key] = self.breaks[key]._replace(resolved_at=said.occurred_at)

    def _common(self, currency: str, occurred_at: int) -> dict[str, Any]:
        self._number += 1
        return {
            "event_id": f"{self._id}-{self._number}",
            "tenant_id": TENANT,
            "occurred_at": occurred_at,
            "correlation_id": self._id,
            "causation_id": None,
            "account_id": self._id,
            "currency": currency,
        }

    def _posting(self, item: dict[str, Any]) -> ev.PostingRecorded:
        amount = item["amount_minor"]
        return ev.PostingRecorded(
            **self._common(item["currency"], item["at"]),
            posting_id=item["posting_id"],
            entry_id=item["posting_id"],
            payment_id=None,
            account_type="nostro",
            side="CREDIT" if amount >= 0 else "DEBIT",
            amount_minor=abs(amount),
            account_sequence=self._number,
            balance_minor_after=0,
            branch=0,
            reference=item["reference"],
        )

    def _line(self, item: dict[str, Any]) -> ev.StatementLine:
        self._lines.append(item["line_id"])
        return ev.StatementLine(
            **self._common(item["currency"], item["at"]),
            statement_id="file",
            line_no=len(self._lines) - 1,
            external_reference=item["reference"],
            amount_minor=item["amount_minor"],
            booked_at=item["at"],
            value_date=item["value_date"],
            description=item["description"],
        )

    def _tick(self, occurred_at: int) -> ev.StatementClosed:
        """Return an empty statement in a currency that nothing else is in: time passes."""
        common = self._common("XXX", occurred_at)
        return ev.StatementClosed(
            **common,
            statement_id=f"tick-{self._number}",
            opening_balance_minor=0,
            closing_balance_minor=0,
            line_count=0,
            closed_at=occurred_at,
        )


def _by_account(postings: pa.Table, lines: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return the items of each account in the order of time, postings before lines of the same moment."""
    by_account: dict[str, list[dict[str, Any]]] = {}
    for item in sorted([*_rows(postings, "occurred_at"), *_rows(lines, "booked_at")], key=_at):
        by_account.setdefault(item["account_id"], []).append(item)
    return by_account


def _at(item: dict[str, Any]) -> int:
    at: int = item["at"]
    return at


def _rows(table: pa.Table, time: str) -> Iterator[dict[str, Any]]:
    """Yield the rows with their time, `at`, in microseconds UTC, and dates as days since 1970-01-01."""
    table = table.append_column("at", table[time].cast(pa.int64())).drop_columns([time])
    if "value_date" in table.schema.names:
        place = table.schema.get_field_index("value_date")
        table = table.set_column(place, "value_date", table["value_date"].cast(pa.int32()))
    yield from table.to_pylist()
