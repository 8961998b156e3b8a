"""Time in the ledger: the watermark, and what is due at a time.

    command -> the watermark -> due rows whose time has come, 100 at most -> their effects -> the command's

What never changes: a due row takes effect once, in the order of time, before the command that found it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.wire import LAYOUT, row_key

TAKEN_MAX = 100
"""Due rows that one command takes."""


class Due(NamedTuple):
    """Something that happens at a time. `kind`: hold, journal, limit or freeze."""

    at: int
    kind: str
    tenant: str
    account_id: str
    subject: str
    """The payment, the journal, or the event that has set the limit or has frozen."""

    @property
    def key(self) -> bytes:
        return row_key("x", f"{self.at + 2**63:020d}", *self[1:])


def plan(branch: Books, due: Due) -> None:
    """Keep what is due later."""
    if due.key not in branch.due:
        insort(branch.due_order, due.key)
    branch.due[due.key] = due
    branch.row(due.key, bytes([LAYOUT]))
    if branch.earliest_due is None or due.at < branch.earliest_due:
        branch.earliest_due = due.at
        branch.number_row(b"n", due.at)


def forget(branch: Books, due: Due) -> None:
    """Delete what is not due any more."""
    del branch.due[due.key]
    del branch.due_order[bisect_left(branch.due_order, due.key)]
    branch.row(due.key, None)


def seen_at(branch: Books) -> int:
    """Return when the present command was seen: no later than Kafka's time."""
    seen: int = min(branch.cause.fields["occurred_at"], branch.cause.timestamp_ms * 1000)
    return seen


def advance(branch: Books) -> None:
    """Move the watermark to the present command, and let take effect what is due by then."""
    seen = seen_at(branch)
    if branch.watermark is None or seen > branch.watermark:
        branch.watermark = seen
        branch.number_row(b"w", seen)
    if branch.earliest_due is None or branch.earliest_due > branch.watermark:
        return
    for key in branch.due_order[:TAKEN_MAX]:
        due = branch.due[key]
        if due.at > branch.watermark:
            break
        forget(branch, due)
        branch.effects[due.kind](branch, due)
    branch.earliest_due = branch.due[branch.due_order[0]].at if branch.due else None
    branch.number_row(b"n", branch.earliest_due)


def over(branch: Books, at: int | None) -> bool:
    """Whether a time is not after the watermark; no time never is."""
    return at is not None and branch.watermark is not None and at <= branch.watermark


def envelope_of(due: Due, event_id: str, correlation_id: str, **subject: Any) -> dict[str, Any]:
    """Return the fields of the event that stands for something due, as the cause of its effects."""
    return {
        "event_id": event_id,
        "tenant_id": due.tenant,
        "occurred_at": due.at,
        "correlation_id": correlation_id,
        **subject,
    }
