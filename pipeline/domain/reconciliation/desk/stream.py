"""One event of reconciliation-items for the desk: a thin router.

event -> checks -> chain, arriving, people -> the account's time -> what is due, bounded -> rows, outputs
rate_quoted, matching_weights_published -> rows of the tenant    branch_ticked -> the branch's clock
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import RowsBothWays
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.breaks.actions import NAMES
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.chain.closings import arrive_closing
from pipeline.domain.reconciliation.chain.findings import CLOSED, NEW, REPEAT, Moment, Outcome
from pipeline.domain.reconciliation.chain.history import fall_stale
from pipeline.domain.reconciliation.chain.inputs import Named, closing_of, day_of, named
from pipeline.domain.reconciliation.chain.inputs import line_of as chain_line_of
from pipeline.domain.reconciliation.chain.lines import arrive_named
from pipeline.domain.reconciliation.desk import figures, time
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.arriving import arrive
from pipeline.domain.reconciliation.desk.broadcasts import Broadcast, take_broadcast
from pipeline.domain.reconciliation.desk.claims import claim, undo
from pipeline.domain.reconciliation.desk.corrections import take_correction
from pipeline.domain.reconciliation.desk.deciding import step
from pipeline.domain.reconciliation.desk.earlier import earlier_line, repeats_earlier, take_over
from pipeline.domain.reconciliation.desk.items import line_of, posting_of
from pipeline.domain.reconciliation.desk.people import decide_by_person
from pipeline.domain.reconciliation.desk.results import say_told
from pipeline.domain.reconciliation.desk.rows import line_item, posting_item
from pipeline.domain.reconciliation.desk.sweeping import sweep
from pipeline.domain.tenants.break_rules import NO_RULES, BreakRules

WINDOWS = Windows()
PEOPLE = (*NAMES, ev.MatchConfirmed, ev.MatchRejected, ev.JournalAnswered)
ITEMS = (ev.PostingRecorded, ev.StatementLine, ev.StatementClosed)
OF_ACCOUNTS: tuple[type[Any], ...] = (*ITEMS, *PEOPLE, ev.ReconciliationContinued)
"""Events of one account."""


def apply(
    event: Any,
    at: Arrival,
    rows: RowsBothWays,
    out: Outbox,
    rules: BreakRules = NO_RULES,
    windows: Windows = WINDOWS,
) -> None:
    """Apply one event to the rows of its partition.

    Raises Reject, with nothing written: malformed_id, overflow, too_old, line_no_must_not_be_negative,
    line_count_must_not_be_negative, unexpected_event, and those of people's events and of broadcasts.
    """
    clock = time.BranchClock(rows)
    if isinstance(event, ev.BranchTicked):
        clock.advance(time.time_of(event, at))
    elif isinstance(event, OF_ACCOUNTS):
        account = open_account(rows, event.tenant_id, event.account_id, windows)
        apply_to(account, clock, event, at, out, rules, windows)
        account.close()
    elif isinstance(event, Broadcast):
        take_broadcast(event, rows)
        clock.advance(time.time_of(event, at))
    else:
        raise Reject("unexpected_event", type(event).__name__)
    clock.wake(event, out)
    clock.close()


def open_account(
    rows: RowsBothWays, tenant_id: str, account_id: str, windows: Windows = WINDOWS, events: int = 1
) -> AccountDesk:
    """Return the rows of an account; `events` is how many will be applied to it."""
    return AccountDesk(rows, tenant_id, account_id, windows.both_days * MICROSECONDS_PER_DAY, events)


def apply_to(
    account: AccountDesk,
    clock: time.BranchClock,
    event: Any,
    at: Arrival,
    out: Outbox,
    rules: BreakRules = NO_RULES,
    windows: Windows = WINDOWS,
    line: Named | None = None,
) -> None:
    """Apply one event to the rows of its account; a `Reject` leaves them unchanged.

    `line`: of a statement's line, if the caller has worked it out (`named_line`).
    """
    keep_us = windows.both_days * MICROSECONDS_PER_DAY
    if isinstance(event, ev.ReconciliationContinued):
        reached = time.pass_time(account, clock)
        if reached is not None:
            scope = Scope(event, reached, account.table, out, rules, keep_us, account.end)
            _settle(account, scope, out)
        return
    time_us = time.time_of(event, at)
    reached = time.reached_by(account, time_us)
    scope = Scope(event, reached, account.table, out, rules, keep_us, account.end)
    if isinstance(event, ITEMS):
        _check(event, time_us, scope)
    if not _take(account, scope, event, at, line):
        return
    time.move_on(account, clock, time_us)
    _settle(account, scope, out)


def named_line(event: ev.StatementLine) -> Named:
    """Return a statement's line as the chain knows it."""
    return named(chain_line_of(event))


def _take(account: AccountDesk, scope: Scope, event: Any, at: Arrival, line: Named | None) -> bool:
    """Do what an event says; return whether it says anything new."""
    if isinstance(event, ev.PostingRecorded):
        return _posting(account, scope, event)
    if isinstance(event, ev.StatementLine):
        return _line(account, scope, event, line or named_line(event))
    if isinstance(event, ev.StatementClosed):
        return _closing(account, scope, event)
    bound_claim, bound_undo = partial(claim, account, scope), partial(undo, account, scope)
    decide_by_person(account, scope, event, at, bound_claim, bound_undo)
    return True


def _check(event: Any, time_us: int, scope: Scope) -> None:
    is_posting = isinstance(event, ev.PostingRecorded)
    own = event.posting_id if is_posting else event.statement_id
    tenant, account, currency = event.tenant_id, event.account_id, event.currency
    is_named = tenant and account and currency and (own or not is_posting)
    if not is_named or "\0" in f"{tenant}{account}{currency}{own}":
        raise Reject("malformed_id", "an id or currency is empty or holds a NUL character")
    if isinstance(event, ev.StatementClosed):
        largest = max(abs(event.opening_balance_minor), abs(event.closing_balance_minor))
    else:
        largest = abs(event.amount_minor)
    if largest > AMOUNT_LIMIT:
        raise Reject("overflow", "an amount is too large")
    if scope.watermark - time_us > scope.keep_us:
        raise Reject("too_old", "another event of the account is later by more than both windows")


def _posting(account: AccountDesk, scope: Scope, event: ev.PostingRecorded) -> bool:
    known = account.item(posting_item(event.posting_id))
    if known is not None and not scope.is_over(known.ended_at):
        return False
    posting, texts = posting_of(event)
    if posting.amount_minor and not take_correction(account, scope, event, posting, texts):
        arrive(account, scope, posting, texts)
    return True


def _line(account: AccountDesk, scope: Scope, event: ev.StatementLine, line: Named) -> bool:
    if _came_before(account, scope, event):
        return False
    told = arrive_named(account, _moment(account, scope), line)
    say_told(account, scope, told, event.value_date)
    if told.what == NEW:
        entry, texts = line_of(event, told.key.decode(), line.line.content, told.twin)
        arrive(account, scope, entry, texts)
    _adopt(account, scope, told)
    return told.what != REPEAT or bool(told.adopted)


def _came_before(account: AccountDesk, scope: Scope, event: ev.StatementLine) -> bool:
    """Whether a line is one that the stream before has taken."""
    before_at = account.desk.before_at
    if before_at is None or scope.is_over(before_at) or event.line_no < 0:
        return False
    known = earlier_line(account, event.statement_id, event.line_no)
    return known is not None and not scope.is_over(known.ended_at) and repeats_earlier(known, event)


def _closing(account: AccountDesk, scope: Scope, event: ev.StatementClosed) -> bool:
    told = arrive_closing(account, _moment(account, scope), closing_of(event))
    if told.what == CLOSED:
        figures.closes(account, scope, event.currency, day_of(event.closed_at), event.line_count)
    say_told(account, scope, told, day_of(event.closed_at))
    _adopt(account, scope, told)
    if told.stale_at is not None:
        stale = {**dict(account.desk.stale), event.currency: told.stale_at}
        account.desk.stale = tuple(sorted(stale.items()))
    return told.what != REPEAT or bool(told.adopted)


def _adopt(account: AccountDesk, scope: Scope, told: Outcome) -> None:
    """Let lines arrive that were taken for repeats."""
    for one in told.adopted:
        like = line_item(one.like.decode())
        if account.item(like) is None:
            continue
        fresh = msgspec.structs.replace(
            account.worded(like),
            line_id=one.key.decode(),
            line_no=one.line_no,
            **_NEW_ITEM,
        )
        arrive(account, scope, fresh)


_NEW_ITEM: dict[str, Any] = {
    "status": "OPEN",
    "standing": "WAITING",
    "stage": 0,
    "tier": "",
    "leader": b"",
    "partners": (),
    "break_id": "",
    "breaks": 0,
    "ended_at": None,
    "rejected": (),
    "sought": (),
    "information": 0,
}


def _moment(account: AccountDesk, scope: Scope) -> Moment:
    return Moment(*account.account, scope.watermark, scope.keep_us)


def _settle(account: AccountDesk, scope: Scope, out: Outbox) -> None:
    """Do what is due, as far as one event may, and let go what is over."""
    is_left = account.desk.earlier and take_over(account, scope, partial(arrive, account, scope))
    _fall_stale(account, scope)
    if account.due_times.is_due(scope.watermark):
        is_left = time.settle(account, partial(step, account, scope)) or is_left
    time.continue_if(is_left, account, scope.cause, out)
    sweep_due(account, scope)


def sweep_due(account: AccountDesk, scope: Scope) -> None:
    """Let go what is over, of what has come up."""
    if account.to_sweep:
        keys, account.to_sweep = account.to_sweep, []
        sweep(account, scope, _moment(account, scope), keys)


def _fall_stale(account: AccountDesk, scope: Scope) -> None:
    for currency, stale_at in account.desk.stale:
        if stale_at > scope.watermark:
            continue
        told = fall_stale(account, _moment(account, scope), currency)
        say_told(account, scope, told, day_of(stale_at))
        left = {**dict(account.desk.stale)}
        del left[currency]
        if told.stale_at is not None and told.stale_at > scope.watermark:
            left[currency] = told.stale_at
        account.desk.stale = tuple(sorted(left.items()))
