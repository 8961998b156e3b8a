"""Limits of accounts, at once and from a time on; frozen sides; accounts that close and open again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_accounts import SIDE_BITS, Account, customer
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import Due, behind, drop_due, envelope_of, plan, seen_at, take
from pipeline.verify.model.wire import Dead, cause_of, derived, row_key

PLANNED_MAX = 100
"""Limits that an account may have waiting."""


class Planned(NamedTuple):
    """A limit from a time on."""

    effective_at: int
    event_id: str
    correlation_id: str
    overdraft: int | None
    minimum: int | None
    maximum: int | None


class FreezeEnd(NamedTuple):
    """The end of a frozen side; infinite where only an account_unfrozen ends it."""

    until: float
    event_id: str
    correlation_id: str


def now(branch: Books) -> int:
    """Return the event time of the branch at the present command."""
    seen = seen_at(branch)
    return seen if branch.watermark is None else max(seen, branch.watermark)


@dataclass
class Schedule:
    """The limits of an account that are to come, and since when the present one counts."""

    since: int | None = None
    """None: the present one is that of the opening."""
    waiting: list[Planned] = field(default_factory=list)
    """In the order in which they will count: by time, those of one time as they came."""


def standing(branch: Books, event: dict[str, Any], command: str, closing: bool = False) -> Account | None:
    """Return an account that a command may change, as it is when its time has come, or answer why not."""
    if not customer(event["account_id"]):
        raise Dead("invalid_account_id")
    take(branch, [(event["account_id"], side) for side in ("DEBIT", "CREDIT")], closing=closing)
    account = branch.account(event["account_id"])
    if account is None or account.closed:
        code = "account_not_found" if account is None else "account_closed"
        branch.refuse(command, event["account_id"], code)
        return None
    present = branch.moved_on(event["account_id"])
    if present:
        branch.refuse(command, event["account_id"], "sequence_mismatch", **present)
        return None
    return account


def amounts_of(event: dict[str, Any]) -> list[int | None]:
    """Return overdraft, minimum and maximum. Version 1 of the event knows an overdraft only."""
    names = ("minimum_balance_minor", "maximum_balance_minor")
    return [event["overdraft_limit_minor"], *(event.get(name) for name in names)]


def flaw_of(event: dict[str, Any]) -> str | None:
    """Return why no account can have such a limit."""
    overdraft, minimum, _ = amounts = amounts_of(event)
    if not customer(event["account_id"]):
        return "invalid_account_id"
    if any(amount is not None and amount < 0 for amount in amounts) or (minimum and overdraft != 0):
        return "invalid_limit"
    return None


def set_limit(branch: Books, event: dict[str, Any]) -> None:
    flaw, amounts = flaw_of(event), amounts_of(event)
    if flaw is not None:
        raise Dead(flaw)
    if is_full(branch, event):
        raise Dead("too_many_limits")
    account = standing(branch, event, "account_limit_set")
    if account is None:
        return
    schedule = branch.schedules.setdefault(branch.key("account_id"), Schedule())
    times = [seen_at(branch), branch.watermark, schedule.since]
    present = max(time for time in times if time is not None)
    at = event.get("effective_at")
    at = present if at is None else at
    if schedule.since is not None and at < schedule.since:
        return branch.refuse("account_limit_set", event["account_id"], "limit_superseded")
    wanted = Planned(at, event["event_id"], event["correlation_id"], *amounts)
    if at <= present:
        put_in_force(branch, *branch.key("account_id"), wanted)
        return branch.touch(event["account_id"])
    places = [one[:2] for one in schedule.waiting]
    if wanted[:2] in places:
        schedule.waiting[places.index(wanted[:2])] = wanted
    else:
        earlier = sum(one.effective_at <= at for one in schedule.waiting)
        schedule.waiting.insert(earlier, wanted)
    keep(branch, *branch.key("account_id"))
    plan(branch, due_of(*branch.key("account_id"), wanted))


def is_full(branch: Books, event: dict[str, Any]) -> bool:
    """Whether an account has no place for a limit that is to come, even when all that is due has begun."""
    account, schedule = branch.account(event["account_id"]), branch.schedules.get(branch.key("account_id"))
    at, mark = event.get("effective_at"), branch.watermark
    if account is None or account.closed or schedule is None or at is None:
        return False
    if any(at <= time for time in (seen_at(branch), mark, schedule.since) if time is not None):
        return False
    places = [one[:2] for one in schedule.waiting if mark is None or one.effective_at > mark]
    return (at, event["event_id"]) not in places and len(places) >= PLANNED_MAX


def due_of(tenant: str, account_id: str, planned: Planned) -> Due:
    return Due(planned.effective_at, "limit", tenant, account_id, planned.event_id)


def put_in_force(branch: Books, tenant: str, account_id: str, limit: Planned) -> None:
    """Let a limit count from its time on; none that was to count before it ever will."""
    account, schedule = branch.accounts[tenant, account_id], branch.schedules[tenant, account_id]
    account.limit = -limit.minimum if limit.minimum else limit.overdraft
    account.maximum = limit.maximum
    over = [one for one in schedule.waiting if one.effective_at <= limit.effective_at]
    for one in over:
        drop_due(branch, due_of(tenant, account_id, one))
    schedule.since = limit.effective_at
    schedule.waiting = schedule.waiting[len(over) :]
    keep(branch, tenant, account_id)


def keep(branch: Books, tenant: str, account_id: str) -> None:
    """Write when the limits of an account count."""
    schedule = branch.schedules[tenant, account_id]
    branch.structure(row_key("t", tenant, account_id), [schedule.since, schedule.waiting])


def limit_is_due(branch: Books, due: Due) -> None:
    """Let the last limit of a time count; the others of that time have had their turn then."""
    waiting = branch.schedules[due.tenant, due.account_id].waiting
    of_now = [one for one in waiting if one.effective_at <= due.at]
    if not of_now:
        return
    limit = of_now[-1]
    fields = envelope_of(due, limit.event_id, limit.correlation_id, account_id=due.account_id)
    with branch.caused_by("AccountLimitSet", fields):
        put_in_force(branch, due.tenant, due.account_id, limit)
        branch.touch(due.account_id)


def freeze(branch: Books, event: dict[str, Any]) -> None:
    account, bits = standing(branch, event, "account_frozen"), SIDE_BITS[event["side"]]
    if account is None:
        return
    until = event.get("until")  # version 1 of the event knows no end
    if until is not None and until <= now(branch):
        return branch.refuse("account_frozen", event["account_id"], "expired")
    end = FreezeEnd(math.inf if until is None else until, event["event_id"], event["correlation_id"])
    ends = branch.freezes.get(branch.key("account_id"), {})
    asked = [bit for bit in (1, 2) if bits & bit]
    wanted = {bit: end for bit in asked if bit not in ends or ends[bit].until < end.until}
    if not wanted:
        return branch.refuse("account_frozen", event["account_id"], "exists")
    account.frozen |= bits
    keep_freezes(branch, branch.key("account_id"), {**ends, **wanted})
    branch.touch(event["account_id"])


def keep_freezes(branch: Books, key: tuple[str, str], ends: dict[int, FreezeEnd]) -> None:
    """Let an account have these frozen sides; write and plan the ends of those that have one."""
    before = branch.freezes.get(key, {})
    planned = [
        {Due(int(end.until), "freeze", *key, end.event_id) for end in sides.values() if end.until < math.inf}
        for sides in (before, ends)
    ]
    for due in sorted(planned[0] - planned[1]):
        drop_due(branch, due)
    for due in sorted(planned[1] - planned[0]):
        plan(branch, due)
    branch.freezes[key] = ends
    was, content = (
        [[bit, *sides[bit]] for bit in sorted(sides) if sides[bit].until < math.inf]
        for sides in (before, ends)
    )
    if content and content != was:
        branch.structure(row_key("f", *key), content)
    elif was and not content:
        branch.row(row_key("f", *key), None)


def freeze_is_due(branch: Books, due: Due) -> None:
    key = (due.tenant, due.account_id)
    ends = branch.freezes[key]
    over = {bit: end for bit, end in ends.items() if (end.until, end.event_id) == (due.at, due.subject)}
    frozen = {"tenant_id": due.tenant, "account_id": due.account_id, "event_id": due.subject}
    event_id = derived(cause_of(branch.cause._replace(event="AccountFrozen", fields=frozen)), "freeze_ended")
    (correlation_id,) = {end.correlation_id for end in over.values()}
    fields = envelope_of(due, event_id, correlation_id, account_id=due.account_id)
    with branch.caused_by("AccountUnfrozen", fields):
        branch.accounts[key].frozen &= ~sum(over)
        keep_freezes(branch, key, {bit: end for bit, end in ends.items() if bit not in over})
        branch.touch(due.account_id)


def unfreeze(branch: Books, event: dict[str, Any]) -> None:
    account, bits = standing(branch, event, "account_unfrozen"), SIDE_BITS[event["side"]]
    if account is None:
        return
    if not account.frozen & bits:
        return branch.refuse("account_unfrozen", event["account_id"], "account_not_frozen")
    account.frozen &= ~bits
    ends = branch.freezes.get(branch.key("account_id"), {})
    keep_freezes(branch, branch.key("account_id"), {bit: ends[bit] for bit in ends if not bit & bits})
    branch.touch(event["account_id"])


def close_account(branch: Books, event: dict[str, Any]) -> None:
    account = standing(branch, event, "account_closed", closing=True)
    if account is None:
        return
    both = [(event["account_id"], side) for side in ("DEBIT", "CREDIT")]
    if account.balance or account.debits_pending or account.credits_pending:
        code = "too_many_holds" if any(behind(branch, *place) for place in both) else "account_not_empty"
        return branch.refuse("account_closed", event["account_id"], code)
    account.closed = True
    branch.touch(event["account_id"])


def reopen(branch: Books, event: dict[str, Any]) -> None:
    if not customer(event["account_id"]):
        raise Dead("invalid_account_id")
    take(branch, [(event["account_id"], side) for side in ("DEBIT", "CREDIT")])
    account = branch.account(event["account_id"])
    if account is None or not account.closed:
        code = "account_not_found" if account is None else "account_not_closed"
        return branch.refuse("account_reopened", event["account_id"], code)
    account.closed = False
    branch.touch(event["account_id"])
