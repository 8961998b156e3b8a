"""Journals with a time to be posted at: they wait at home, nothing is held for them, they can be taken back.

What never changes: one that is due is submitted before anything that touches an account of it on its branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.verify.model.ledger_accounts import customer
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import Due, drop_due, plan
from pipeline.verify.model.ledger_journals import Journal, change
from pipeline.verify.model.wire import (
    DAY_US,
    LAYOUT,
    LONG_MAX,
    all_said,
    home_of,
    msgpack,
    row_key,
)

FIELDS = (
    *("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id", "journal_id", "account_id"),
    *("legs", "reference", "reason", "effective_at", "late", "hold_expires_at", "actor", "metadata"),
    *("expected_sequence", "hold", "needs_approval", "execute_at", "shares", "approved_by"),
)
"""A journal as it is kept: all that is said of it, in this order, and who has approved it."""
ALWAYS = ("causation_id", "reason", "effective_at")
WAITING_MOST = 1_000
AWAY_MOST_US = 400 * DAY_US
LEGS_MOST = 100
Start = Callable[[Books, str, Journal], None]


def wait_or_start(branch: Books, event: dict[str, Any], journal: Journal, start: Start) -> None:
    """Let a journal wait whose time is to come, or refuse it; start any other."""
    time, now, journal_id = event.get("execute_at"), branch.watermark, event["journal_id"]
    assert now is not None
    if time is None or time == event["occurred_at"]:
        return start(branch, journal_id, journal)
    if time <= max(now, event["occurred_at"]):
        journal.occurred_at = max(time, event["occurred_at"])
        with branch.caused_by("JournalSubmitted", event | {"occurred_at": journal.occurred_at}):
            return start(branch, journal_id, journal)
    code = why_not(branch, event, now)
    if code is not None:
        return branch.refuse("journal_submitted", event["account_id"], code, journal_id=journal_id)
    tenant, home = event["tenant_id"], event["account_id"]
    due = Due(time, "scheduled", tenant, home, journal_id)
    branch.waiting_journals[tenant, home, journal_id] = event
    kept = all_said({name: event.get(name) for name in FIELDS}, ALWAYS)
    branch.row(row_key("s", tenant, home, journal_id), bytes([LAYOUT]) + msgpack(kept))
    for account_id in accounts(branch, event):
        branch.waiting_on.setdefault((tenant, account_id), set()).add(due)
        branch.row(account_key(due, account_id), bytes([LAYOUT]))
    plan(branch, due)
    change(branch, journal_id, journal, "SCHEDULED", "ok", execute_at=time)


def why_not(branch: Books, event: dict[str, Any], now: int) -> str | None:
    """Return the first reason for which a journal may not wait."""
    time = event["execute_at"]
    if time == LONG_MAX or time - now > AWAY_MOST_US:
        return "too_far_ahead"
    if event.get("hold_expires_at") is not None and event["hold_expires_at"] <= time:
        return "expired"
    places = [branch.waiting_on.get((event["tenant_id"], one), ()) for one in accounts(branch, event)]
    return "too_many_scheduled" if any(len(waiting) >= WAITING_MOST for waiting in places) else None


def accounts(branch: Books, event: dict[str, Any]) -> list[str]:
    """Return the home of a journal, and the accounts of its legs that are this branch's."""
    named, tenant = [leg["account_id"] for leg in event["legs"][:LEGS_MOST]], event["tenant_id"]
    here = [
        one
        for one in named
        if customer(one) and home_of(f"{tenant}/{one}", branch.partitions) == branch.number
    ]
    return list(dict.fromkeys([event["account_id"], *here]))


def account_key(due: Due, account_id: str) -> bytes:
    return row_key("i", due.tenant, account_id, f"{due.at + 2**63:020d}", due.account_id, due.subject)


def forget_waiting(branch: Books, due: Due) -> dict[str, Any]:
    """Let a journal wait no more; return its command."""
    key = (due.tenant, due.account_id, due.subject)
    event = branch.waiting_journals.pop(key)
    branch.row(row_key("s", *key), None)
    for account_id in accounts(branch, event):
        branch.waiting_on[due.tenant, account_id].remove(due)
        branch.row(account_key(due, account_id), None)
    drop_due(branch, due)
    return event


def take_back(branch: Books, event: dict[str, Any], journal: Journal) -> None:
    """Void a journal that waits."""
    assert journal.execute_at is not None
    present = branch.moved_on(journal.account_id)
    if present:
        about = {"journal_id": event["journal_id"], **present}
        return branch.refuse("journal_voided", journal.account_id, "sequence_mismatch", **about)
    names = event["tenant_id"], journal.account_id, event["journal_id"]
    forget_waiting(branch, Due(journal.execute_at, "scheduled", *names))
    change(branch, event["journal_id"], journal, "VOIDED", "cancelled")
