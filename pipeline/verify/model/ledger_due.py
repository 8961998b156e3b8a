"""Time in the ledger: the watermark, and what is due at a time.

    command -> the watermark -> what is due on its accounts -> of the rest, 100 at most -> its own effects

What never changes: what is due takes effect once, and before any command that depends on it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_accounts import customer
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.wire import LAYOUT, row_key

OTHERS_MAX = 100
"""Due rows that one command takes beside them."""
Place = tuple[str, str]
"""An account and the side on which money is held: DEBIT, what is its own; CREDIT, what is to come."""


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
        return row_key("d", f"{self.at + 2**63:020d}", *self[1:])


def plan(branch: Books, due: Due, places: Iterable[Place] = ()) -> None:
    """Keep what is due later, and the places in which it holds money until then."""
    if due.key not in branch.due:
        insort(branch.due_order, due.key)
    branch.due[due.key], branch.held_in[due.key] = due, list(dict.fromkeys(places))
    branch.row(due.key, bytes([LAYOUT]))
    for place in branch.held_in[due.key]:
        insort(branch.held_on.setdefault((due.tenant, *place), []), due)
        branch.row(place_key(due, place), bytes([LAYOUT]))
        count_held(branch, due.tenant, place)
    if branch.earliest_due is None or due.at < branch.earliest_due:
        branch.earliest_due = due.at
        branch.number_row(b"n", due.at)


def forget(branch: Books, due: Due) -> None:
    """Delete what is not due any more."""
    del branch.due[due.key]
    del branch.due_order[bisect_left(branch.due_order, due.key)]
    branch.row(due.key, None)
    for place in branch.held_in.pop(due.key):
        branch.held_on[due.tenant, *place].remove(due)
        branch.row(place_key(due, place), None)
        count_held(branch, due.tenant, place)


def count_held(branch: Books, tenant: str, place: Place) -> None:
    """Write how much is held of an account's money."""
    if place[1] == "DEBIT":
        branch.number_row(row_key("o", tenant, place[0]), len(branch.held_on[tenant, *place]) or None)


def place_key(due: Due, place: Place) -> bytes:
    own = (f"{due.at + 2**63:020d}", due.kind, due.account_id, due.subject)
    return row_key("y", due.tenant, *place, *own)


def drop_due(branch: Books, due: Due) -> None:
    """Delete what may be due, if it is still to be."""
    if due.key in branch.due:
        forget(branch, due)


def seen_at(branch: Books) -> int:
    """Return when the present command was seen: no later than Kafka's time."""
    seen: int = min(branch.cause.fields["occurred_at"], branch.cause.timestamp_ms * 1000)
    return seen


def advance(branch: Books, places: Iterable[Place], others: int | None = None) -> None:
    """Move the watermark to the present command, and let take effect what is due by then."""
    seen = seen_at(branch)
    if branch.watermark is None or seen > branch.watermark:
        branch.watermark = seen
        branch.number_row(b"w", seen)
    take(branch, places, OTHERS_MAX if others is None else others)


def take(branch: Books, places: Iterable[Place], others: int = 0, closing: bool = False) -> None:
    """Let take effect what is due on the places of a command, and so many others.

    What brings an account money counts if the account has a maximum, or is being closed.
    """
    now, tenant = branch.watermark, branch.cause.fields["tenant_id"]
    if now is None or branch.earliest_due is None or branch.earliest_due > now:
        return
    ended, begun = set[Due](), set[Due]()
    own = [place for place in dict.fromkeys(places) if customer(place[0])]
    waiting = {due for place in own for due in branch.waiting_on.get((tenant, place[0]), ()) if due.at <= now}
    begun |= waiting
    for due in sorted(waiting):
        legs = branch.waiting_journals[due.tenant, due.account_id, due.subject]["legs"][:100]
        own += [(leg["account_id"], leg["side"]) for leg in legs if branch.here(leg["account_id"])]
    for account_id, side in dict.fromkeys(own):
        account = branch.account(account_id) if customer(account_id) else None
        if account is None:
            continue
        schedule = branch.schedules.get((tenant, account_id))
        limits = [] if schedule is None else [one for one in schedule.waiting if one.effective_at <= now]
        begun |= {Due(one.effective_at, "limit", tenant, account_id, one.event_id) for one in limits}
        freezes = branch.freezes.get((tenant, account_id), {}).values()
        thawed = [one for one in freezes if one.until <= now]
        begun |= {Due(int(one.until), "freeze", tenant, account_id, one.event_id) for one in thawed}
        full = any(maximum is not None for maximum in (account.maximum, *(one.maximum for one in limits)))
        if side == "DEBIT" or full or closing:
            ended |= {due for due in branch.held_on.get((tenant, account_id, side), ()) if due.at <= now}
    for due in sorted(begun.union(sorted(ended)[: branch.ended_max])):
        take_one(branch, due)
    for due in [branch.due[key] for key in branch.due_order[:others]]:
        if due.at <= now:
            take_one(branch, due)
    branch.earliest_due = branch.due[branch.due_order[0]].at if branch.due else None
    branch.number_row(b"n", branch.earliest_due)


def take_one(branch: Books, due: Due) -> None:
    """Let something take effect, unless another limit of its account has done so in its place."""
    if due.key in branch.due:
        forget(branch, due)
        branch.effects[due.kind](branch, due)


def behind(branch: Books, account_id: str, side: str) -> bool:
    """Whether what is over still counts in a place, because it is more than one command takes."""
    held = branch.held_on.get((branch.cause.fields["tenant_id"], account_id, side))
    return held is not None and len(held) > 0 and over(branch, held[0].at)


def crowded(branch: Books, account_id: str, side: str) -> bool:
    """Whether a place has as many open holds as it may have."""
    account = branch.account(account_id)
    if account is None or (side == "CREDIT" and account.maximum is None):
        return False
    held = branch.held_on.get((branch.cause.fields["tenant_id"], account_id, side), ())
    return len(held) >= branch.holds_max


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
