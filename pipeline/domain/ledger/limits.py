"""Limits of an account: overdraft, minimum and maximum balance, at once or from a later time.

    row `t` NUL tenant NUL account    since when the limit in effect counts, and the limits that wait

The limits of an account stand in the order of their effective times, and those of one time in the order of
their arrival. The limit in effect is the last one whose time has come. So a limit never gives way to one that
stands before it:

- A limit without a time counts from its arrival.
- A limit whose time has come counts at once. It is refused where the limit in effect has a later time.
- A limit whose time is to come waits until the branch's event time reaches it (`due`). It waits in vain if a
  limit comes in between that counts at once, from the same time or a later one.

A closed account has limits like an open one, so that it has the right one when it is opened again.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.account_ids import can_be_opened
from pipeline.domain.ledger.accounts import account_after_due
from pipeline.domain.ledger.books import save_account
from pipeline.domain.ledger.due import LIMIT, Due, Take, schedule, unschedule
from pipeline.domain.ledger.rows import CLOSED, LIMIT_ROW, Account, read_account, read_watermark

LIMITS_MAX = 100
"""The most limits of one account that may wait for their effective time."""


class Limit(NamedTuple):
    """A limit whose effective time has not come; amounts in minor units."""

    effective_at: int
    """Microseconds UTC."""
    event_id: str
    correlation_id: str
    overdraft: int | None
    minimum: int | None
    maximum: int | None


class Limits(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of the limits of one account, beside the amounts in its own row."""

    since: int | None
    """The effective time of the limit in effect, microseconds UTC; None: that of the account's opening."""
    waiting: list[Limit]
    """By effective time, and by arrival where that is the same."""


unpack_limits = unpacker(LIMIT_ROW, Limits)
"""Return the limits of a row. Raises UnreadableRow."""


def set_limit(take: Take, event: ev.AccountLimitSet, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Set the limits of an account, now or at a later time.

    `take`: applies what is due on accounts: a limit may have begun, and wait for that.
    Raises: Reject for limits that no account can have, an account of the ledger's own, or too many limits.
    """
    amounts = check_limit(event)
    _check_room(event, at, rows)
    account = account_after_due(take, event, "account_limit_set", at, rows, out)
    if account is None:
        return
    tenant, account_id = event.tenant_id, event.account_id
    limits = read_limits(rows, tenant, account_id)
    now = _now(event, at, rows, limits)
    starts = now if event.effective_at is None else event.effective_at
    if limits.since is not None and starts < limits.since:
        return refuse(out, event, "account_limit_set", account_id, None, "limit_superseded")
    limit = Limit(starts, event.event_id, event.correlation_id, *amounts)
    if starts <= now:
        _put_in_effect(limit, account, limits, tenant, account_id, rows)
        return save_account(rows, out, event, account_id, account)
    waiting = {(one.effective_at, one.event_id): one for one in limits.waiting}
    waiting[starts, event.event_id] = limit
    limits.waiting = sorted(waiting.values(), key=lambda one: one.effective_at)
    rows.put(_key(tenant, account_id), LIMIT_ROW.pack(limits))
    schedule(rows, _due(limit, tenant, account_id))


def check_limit(event: ev.AccountLimitSet) -> tuple[int | None, int | None, int | None]:
    """Return the overdraft, minimum and maximum of a command, minor units.

    Raises: Reject for limits that no account can have, or an account of the ledger's own.
    """
    if not can_be_opened(event.account_id):
        raise Reject("invalid_account_id")  # the ledger's own accounts have no limit and are not closed
    amounts = (event.overdraft_limit_minor, event.minimum_balance_minor, event.maximum_balance_minor)
    if any(amount is not None and amount < 0 for amount in amounts):
        raise Reject("invalid_limit")
    if event.minimum_balance_minor and event.overdraft_limit_minor != 0:
        raise Reject("invalid_limit", "a minimum balance and an overdraft")
    return amounts


def begin_limit(due: Due, rows: Rows, out: Outbox) -> None:
    """Put in effect the last limit of an account whose time has come."""
    limits = read_limits(rows, due.tenant_id, due.account_id)
    begun = [one for one in limits.waiting if one.effective_at <= due.time]
    account = read_account(rows, due.tenant_id, due.account_id)
    if account is None or not begun:
        return  # another limit of the same time has put the last one in effect
    limit = begun[-1]
    _put_in_effect(limit, account, limits, due.tenant_id, due.account_id, rows)
    envelope = (limit.event_id, due.tenant_id, due.time, limit.correlation_id, None)
    cause = ev.AccountLimitSet(*envelope, due.account_id, limit.overdraft)
    save_account(rows, out, cause, due.account_id, account)


def read_limits(rows: Rows, tenant_id: str, account_id: str) -> Limits:
    """Return what is remembered of the limits of an account."""
    row = rows.get(_key(tenant_id, account_id))
    return Limits(None, []) if row is None else unpack_limits(row)


def due_limits(rows: Rows, tenant_id: str, account_id: str, watermark: int) -> list[Limit]:
    """Return the limits of an account whose time has come by `watermark`, in their order."""
    waiting = read_limits(rows, tenant_id, account_id).waiting
    return [one for one in waiting if one.effective_at <= watermark]


def _check_room(event: ev.AccountLimitSet, at: Arrival, rows: Rows) -> None:
    """Check that there is room for a limit beside those that wait when all that is due is applied.

    It is asked first: a dead letter must change nothing, also nothing that is due.
    """
    account = read_account(rows, event.tenant_id, event.account_id)
    if account is None or account.status == CLOSED:
        return
    limits, watermark = read_limits(rows, event.tenant_id, event.account_id), read_watermark(rows)
    now = _now(event, at, rows, limits)
    if event.effective_at is None or event.effective_at <= now:
        return
    later = {
        (one.effective_at, one.event_id)
        for one in limits.waiting
        if watermark is None or one.effective_at > watermark
    }
    if len(later | {(event.effective_at, event.event_id)}) > LIMITS_MAX:
        raise Reject("too_many_limits")


def _now(event: ev.AccountLimitSet, at: Arrival, rows: Rows, limits: Limits) -> int:
    """Return the present time of an account: nothing that it has seen is later."""
    seen = (min(event.occurred_at, at.recorded_at), read_watermark(rows), limits.since)
    return max(time for time in seen if time is not None)


def _put_in_effect(
    limit: Limit, account: Account, limits: Limits, tenant_id: str, account_id: str, rows: Rows
) -> None:
    """Give an account a limit, and drop those that stand before it."""
    account.limit_minor = -limit.minimum if limit.minimum else limit.overdraft
    account.maximum_balance_minor = limit.maximum
    for one in limits.waiting:
        if one.effective_at <= limit.effective_at:
            unschedule(rows, _due(one, tenant_id, account_id))
    limits.since = limit.effective_at
    limits.waiting = [one for one in limits.waiting if one.effective_at > limit.effective_at]
    rows.put(_key(tenant_id, account_id), LIMIT_ROW.pack(limits))


def _due(limit: Limit, tenant_id: str, account_id: str) -> Due:
    return Due(limit.effective_at, LIMIT, tenant_id, account_id, limit.event_id)


def _key(tenant_id: str, account_id: str) -> bytes:
    return row_key(LIMIT_ROW.family, tenant_id, account_id)
