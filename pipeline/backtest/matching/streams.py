"""The stream by which files are matched: what it takes, and the one that is in force.

The rules are those of `pipeline.domain.reconciliation`; here they get memory for tables, and time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol

from pipeline.backtest.matching.reading import Row
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.account_rows import AccountRows
from pipeline.domain.reconciliation.matching import open_account
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import apply_to

TENANT = "bank"
"""Of all items of a file."""
STATEMENT = "file"
COUNTERPARTY, DESCRIPTION = "counterparty", "description"
"""Entries of a posting's metadata: whom it is from or to, and what it is for."""
_NO_CURRENCY = "XXX"
"""ISO 4217 for none: no item is in it."""


class Stream(Protocol):
    """Applies events of postings and lines; keeps what it knows in memory."""

    about: str
    """Which stream it is, for people."""
    takes_weights: bool
    """Whether weights of matching have an effect."""

    def apply(self, event: ev.PostingRecorded | ev.StatementLine) -> list[Any]:
        """Apply an event and return what the stream emits. Events come in the order of time."""
        ...

    def end(self) -> Iterator[list[Any]]:
        """Let time move on, step by step, until all is due; yield what the stream emits."""
        ...


class InForce:
    """The stream that workers run: matches by reference, then by amount and date. It takes no weights."""

    about = "the stream in force (reference, then amount and date; it takes no weights)"
    takes_weights = False

    def __init__(self, settings: ReconciliationSettings | None = None, items: int = 1) -> None:
        """`items`: how many will come."""
        self._settings = settings or ReconciliationSettings()
        self._items = items
        # As in the batch path: one set of rows an account, so that nothing is packed and read again.
        self._accounts: dict[str, AccountRows] = {}
        self._last_at: dict[str, int] = {}
        self._ticks = count()

    def apply(self, event: ev.PostingRecorded | ev.StatementLine | ev.StatementClosed) -> list[Any]:
        """Apply an event and return what the stream emits."""
        account_id = event.account_id
        rows = self._accounts.get(account_id)
        if rows is None:
            given = (MemoryRows(), TENANT, account_id, self._settings, Windows(), self._items)
            rows = self._accounts[account_id] = open_account(*given)
        out = Outbox()
        self._last_at[account_id] = event.occurred_at
        apply_to(rows, event, Arrival(event.occurred_at, 0, 1), out, self._settings)
        return [said for _, _, said in out.items]

    def end(self) -> Iterator[list[Any]]:
        """Let each account's time move on a day at a time until its last item is due."""
        for account_id, rows in self._accounts.items():
            for _ in range(self._settings.grace_days + 1):
                at = self._last_at[account_id] + MICROSECONDS_PER_DAY
                yield self.apply(time_passes(account_id, at, next(self._ticks)))
                while rows.is_due(at):
                    yield self.apply(time_passes(account_id, at, next(self._ticks)))


def time_passes(account_id: str, at_us: int, number: int) -> ev.StatementClosed:
    """Return an empty statement in a currency that nothing is in: by it time passes. `number`: a new one."""
    return ev.StatementClosed(
        event_id=f"{account_id}-time-{number}",
        tenant_id=TENANT,
        occurred_at=at_us,
        correlation_id=account_id,
        causation_id=None,
        account_id=account_id,
        statement_id=f"time-{number}",
        currency=_NO_CURRENCY,
        opening_balance_minor=0,
        closing_balance_minor=0,
        line_count=0,
        closed_at=at_us,
    )


class Events:
    """Rows of files become events; lines are known by their numbers then."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[str]] = {}
        """The ids of an account's lines by their numbers. A statement has one currency."""
        self._postings: dict[str, int] = {}

    def of(self, row: Row) -> ev.PostingRecorded | ev.StatementLine:
        """Return the event of a row."""
        return self._line(row) if row.is_line else self._posting(row)

    def line_id(self, account_id: str, statement_id: str | None, line_no: int | None) -> str | None:
        """Return the id of a line; None where there is none."""
        if statement_id is None or line_no is None or not statement_id.startswith(f"{STATEMENT}-"):
            return None
        return self._lines[account_id, statement_id][line_no]

    def _posting(self, row: Row) -> ev.PostingRecorded:
        number = self._postings[row.account_id] = self._postings.get(row.account_id, 0) + 1
        texts = ((COUNTERPARTY, row.counterparty), (DESCRIPTION, row.description))
        return ev.PostingRecorded(
            event_id=f"posting-{row.item_id}",
            tenant_id=TENANT,
            occurred_at=row.at_us,
            correlation_id=row.item_id,
            causation_id=None,
            posting_id=row.item_id,
            entry_id=row.item_id,
            payment_id=None,
            account_id=row.account_id,
            account_type="nostro",
            side="CREDIT" if row.minor >= 0 else "DEBIT",
            amount_minor=abs(row.minor),
            currency=row.currency,
            account_sequence=number,
            balance_minor_after=0,
            branch=0,
            reference=row.reference,
            metadata={name: text for name, text in texts if text} or None,
        )

    def _line(self, row: Row) -> ev.StatementLine:
        statement_id = f"{STATEMENT}-{row.currency}"
        known = self._lines.setdefault((row.account_id, statement_id), [])
        known.append(row.item_id)
        return ev.StatementLine(
            event_id=f"line-{row.item_id}",
            tenant_id=TENANT,
            occurred_at=row.at_us,
            correlation_id=row.item_id,
            causation_id=None,
            statement_id=statement_id,
            account_id=row.account_id,
            line_no=len(known) - 1,
            external_reference=row.reference,
            amount_minor=row.minor,
            currency=row.currency,
            booked_at=row.at_us,
            value_date=row.value_day,
            description=row.description or "",
        )
