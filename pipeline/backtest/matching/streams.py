"""What a stream by which files are matched takes: rows of files as events of the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from pipeline.backtest.matching.reading import Row
from pipeline.domain.kernel import events as ev

TENANT = "bank"
"""Of all items of a file."""
STATEMENT = "file"
COUNTERPARTY, DESCRIPTION = "counterparty", "description"
"""Entries of a posting's metadata: whom it is from or to, and what it is for."""


class Stream(Protocol):
    """Applies events of postings and lines; keeps what it knows in memory."""

    def apply(self, event: ev.PostingRecorded | ev.StatementLine) -> list[Any]:
        """Apply an event and return what the stream emits. Events come in the order of time."""
        ...

    def end(self) -> Iterator[list[Any]]:
        """Let time move on, step by step, until all is due; yield what the stream emits."""
        ...


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
