"""A reconciliation desk for tests: ledgers of postings, lines and statements as text."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.settings import ReconciliationSettings
from pipeline.domain.reconciliation.stream import apply
from tests.reconciliation_desk.entries import DAY, Entries

LATER = 10**6 * DAY


class Desk(Entries):
    """One partition of the stream before, fed entry by entry of a ledger (`Entries`).

    A tick is an empty statement in another currency here.
    """

    def __init__(self, **rules: int) -> None:
        super().__init__()
        self.rules = ReconciliationSettings(**rules)
        self.rows = MemoryRows()

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
        day, kind, *_ = entry.split()
        if kind != "tick":
            return super().read(entry)
        closed = super().read(f"{day} close tick-{day}-{self.number + 1} 0 0 0")
        return msgspec.structs.replace(closed, currency="XXX")

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
