"""A reconciliation desk for tests: ledgers of postings, lines and statements as text."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import apply

DAY = 86_400_000_000
NOON = DAY // 2
LATER = 10**6 * DAY


class Desk:
    """One partition, fed entry by entry of a ledger. Days are days since 1970, events happen at noon.

    1 posting P1 -100 [INV1 | pay:PAY1]   a debit with a reference or a payment id; its entry is entry-P1
    1 line S1/2 -100 [INV1] [day:3]       line 2 of statement S1; its value date, if not the event's day
    1 close S1 500 400 2                  opening and closing balance, number of lines
    1 tick                                time passes: an empty statement in another currency
    """

    def __init__(self, **rules: int) -> None:
        self.rules = ReconciliationSettings(**rules)
        self.rows = MemoryRows()
        self.number = 0

    def apply(self, event: Any, recorded_at: int = LATER) -> list[Any]:
        """Apply an event and return what it emits; a refusal leaves nothing behind."""
        out, before = Outbox(), dict(self.rows.data)
        try:
            apply(event, Arrival(recorded_at, 0, 4), self.rows, out, self.rules)
        except Reject:
            assert self.rows.data == before and out.items == []
            raise
        for topic, key, result in out.items:
            assert (topic, key) == ("reconciliation-results", "acme/nostro")
            assert (result.causation_id, result.correlation_id) == (event.event_id, event.correlation_id)
        return [result for _, _, result in out.items]

    def read(self, entry: str) -> Any:
        """Return the event of an entry."""
        day, kind, *words = entry.split()
        self.number += 1
        common: dict[str, Any] = {
            "event_id": f"event-{self.number}",
            "tenant_id": "acme",
            "occurred_at": int(day) * DAY + NOON,
            "correlation_id": "c",
            "causation_id": None,
            "account_id": "nostro",
            "currency": "EUR",
        }
        if kind == "posting":
            return self._posting(common, *words)
        if kind == "line":
            return self._line(common, *words)
        if kind == "tick":
            common["currency"], words = "XXX", [f"tick-{day}-{self.number}", "0", "0", "0"]
        statement_id, opening, closing, line_count = words
        return ev.StatementClosed(
            **common,
            statement_id=statement_id,
            opening_balance_minor=int(opening),
            closing_balance_minor=int(closing),
            line_count=int(line_count),
            closed_at=common["occurred_at"],
        )

    def _posting(self, common: dict[str, Any], posting_id: str, amount: str, name: str = "") -> Any:
        signed = int(amount)
        payment_id = name.removeprefix("pay:") if name.startswith("pay:") else None
        return ev.PostingRecorded(
            **common,
            posting_id=posting_id,
            entry_id=f"entry-{posting_id}",
            payment_id=payment_id,
            account_type="nostro",
            side="CREDIT" if signed >= 0 else "DEBIT",
            amount_minor=abs(signed),
            account_sequence=self.number,
            balance_minor_after=0,
            branch=0,
            reference=name if name and payment_id is None else None,
            booked_at=None,
            held_minor_after=None,
        )

    def _line(self, common: dict[str, Any], place: str, amount: str, *words: str) -> Any:
        statement_id, line_no = place.split("/")
        days = [int(word.removeprefix("day:")) for word in words if word.startswith("day:")]
        names = [word for word in words if not word.startswith("day:")]
        day = days[0] if days else common["occurred_at"] // DAY
        return ev.StatementLine(
            **common,
            statement_id=statement_id,
            line_no=int(line_no),
            external_reference=names[0] if names else None,
            amount_minor=int(amount),
            booked_at=day * DAY + NOON,
            value_date=day,
            description="text",
        )

    def run(self, ledger: str) -> list[Any]:
        """Apply the entries of a ledger and return what they emit."""
        return [result for entry in ledger.strip().splitlines() for result in self.apply(self.read(entry))]


def show(result: Any) -> str:
    """Return an output as a ledger shows it."""
    if isinstance(result, ev.ItemMatched):
        line = f"{result.statement_id}/{result.line_no}"
        return f"{line} = {' '.join(result.posting_ids)} by {result.tier}"
    if isinstance(result, ev.BreakResolved):
        return f"resolved {result.type} {result.resolution}"
    where = [result.statement_id, None if result.line_no is None else str(result.line_no), result.posting_id]
    return f"{result.type} {result.amount_minor} on {'/'.join(part for part in where if part)}"


def check(ledger: str, **rules: int) -> None:
    """Run a ledger entry by entry and compare what each emits with what stands behind its bar."""
    desk = Desk(**rules)
    for entry in ledger.strip().splitlines():
        action, _, expected = entry.partition("|")
        shown = "; ".join(show(result) for result in desk.run(action))
        assert shown == expected.strip(), action
