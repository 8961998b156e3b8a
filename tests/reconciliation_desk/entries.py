"""What comes to a nostro account, as text: postings, lines, closings, ticks; and what is said of it."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev

DAY = 86_400_000_000
NOON = DAY // 2


class Entries:
    """Events of the account acme/nostro, in order. Days are days since 1970, events happen at noon.

    1 posting P1 -100 [INV1 | pay:PAY1]   a debit with a reference or a payment id; its entry is entry-P1
    1 line S1/2 -100 [INV1] [day:3]       line 2 of statement S1; its value date, if not the event's day
    1 close S1 500 400 2                  opening and closing balance, number of lines
    1 tick                                time passes for the branch
    """

    def __init__(self, branch: int = 0) -> None:
        self.branch, self.number = branch, 0

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
            del common["currency"]
            clock = {"tenant_id": "", "account_id": f"$clock:{self.branch}"}
            return ev.BranchTicked(**{**common, **clock}, branch=self.branch)
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


def show(result: Any) -> str:
    """Return what is said as stories have it; a continuation is `goes on`."""
    match result:
        case ev.ItemMatched():
            line = f"{result.statement_id}/{result.line_no}"
            return f"{line} = {' '.join(result.posting_ids)} by {result.tier}"
        case ev.BreakResolved():
            return f"resolved {result.kind} {result.resolution}"
        case ev.BreakChanged():
            return f"{result.change}: {result.status}"
        case ev.MatchSuggested():
            return f"suggested {len(result.candidates)}"
        case ev.ReconciliationContinued():
            return "goes on"
        case ev.BreakOpened():
            line_no = None if result.line_no is None else str(result.line_no)
            where = [result.statement_id, line_no, result.posting_id]
            return f"{result.kind} {result.amount_minor} on {'/'.join(part for part in where if part)}"
    raise TypeError(type(result).__name__)
