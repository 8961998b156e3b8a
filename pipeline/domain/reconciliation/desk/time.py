"""Time: of an account, of the branch, and what is due by it, a bounded part of it an event.

    an event of the account -> its time is that of the event, if later
    reconciliation_continued -> its time has gone on as the branch's has since
    what is due -> units of work, at most UNITS_MAX -> what is left goes on by reconciliation_continued

An account wakes up a day after its first event, by the branch's clock, and every day from then on while it
has open items: so also one falls due to which nothing comes any more. Any event of the partition wakes whose
time has come, at most WAKES_MAX; each continuation is such an event, so all come to their turn.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Protocol

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id, envelope
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.times import LONG_AGO, MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.rows import (
    CLOCK_ROW,
    MARK,
    NEVER,
    OPEN,
    WAKE,
    Clock,
    Entry,
    pack,
    read,
)
from pipeline.domain.reconciliation.sortable import number_at, sortable

TOPIC = "reconciliation-items"
UNITS_MAX = 64
"""Units of work of what is due, an event."""
MEETING, DECISION = 1, 8
"""Units of a meeting, and of a decision."""
WAKES_MAX = 64
"""Accounts that an event wakes."""
WAKES_EVERY_US = MICROSECONDS_PER_DAY
CLOCK_KEY = CLOCK_ROW.family.encode()
_ANY_TIME = 2**62


class Step(Protocol):
    """Does what is due of an item."""

    def __call__(self, entry: Entry) -> int:
        """Do the next step of an open item, after which it is not due any more; return its units."""
        ...


def time_of(event: Any, at: Arrival) -> int:
    """Return the event time of an event: no clock is ahead of its record; microseconds UTC."""
    time: int = min(event.occurred_at, at.recorded_at)
    return time


def wake_key(at: int, tenant_id: str, account_id: str) -> bytes:
    """Return the key of an account's wake-up; `at`: time of the branch, microseconds UTC."""
    return row_key(WAKE, sortable(at), tenant_id, account_id)


def branch_time(rows: Rows) -> int | None:
    """Return the latest event time of a partition, microseconds UTC; None: it has had no event yet."""
    clock = read(rows, CLOCK_KEY, Clock)
    return None if clock is None else clock.reached_at


class BranchClock:
    """The clock of a partition, and when its accounts wake up. One for an event, or for a run of them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._stored = read(rows, CLOCK_KEY, Clock) or Clock(LONG_AGO)
        self.at = self._stored.reached_at
        """The latest event time of the partition, microseconds UTC."""
        self._wakes_from = self._stored.wakes_from

    def advance(self, time: int) -> None:
        """Let an event of the partition say what time it is."""
        self.at = max(self.at, time)

    def schedule(self, tenant_id: str, account_id: str) -> int:
        """Let an account wake up in a day; return when, by this clock."""
        wakes_at = self.at + WAKES_EVERY_US
        self._rows.put(wake_key(wakes_at, tenant_id, account_id), MARK)
        self._wakes_from = min(self._wakes_from, wakes_at)
        return wakes_at

    def cancel(self, wakes_at: int, tenant_id: str, account_id: str) -> None:
        """Take back a wake-up, if it has not happened yet."""
        self._rows.delete(wake_key(wakes_at, tenant_id, account_id))

    def wake(self, cause: Any, out: Outbox) -> None:
        """Wake the first accounts whose time has come: each continues by an event of its own.

        The rows of these accounts are not touched: some may be open in memory.
        """
        if self._wakes_from > self.at:
            return
        prefix = row_key(WAKE, "")
        due = list(islice(self._rows.scan(prefix), WAKES_MAX + 1))
        self._wakes_from = NEVER
        for place, (key, _) in enumerate(due):
            wakes_at = number_at(key, len(prefix))
            if wakes_at > self.at or place == WAKES_MAX:
                self._wakes_from = wakes_at
                return
            self._rows.delete(key)
            _, _, tenant_id, account_id = key.decode().split("\0")
            _emit(out, _woken(cause, tenant_id, account_id))

    def close(self) -> None:
        """Write the clock."""
        clock = Clock(self.at, self._wakes_from)
        if clock != self._stored and self.at != LONG_AGO:
            self._rows.put(CLOCK_KEY, pack(clock))


def _woken(cause: Any, tenant_id: str, account_id: str) -> ev.ReconciliationContinued:
    """Return the continuation of an account that only time has caused, by whosever event it has passed."""
    event_id = derived_id(cause_name(cause), f"woken/{tenant_id}/{account_id}")
    return ev.ReconciliationContinued(event_id, tenant_id, cause.occurred_at, event_id, None, account_id)


def _emit(out: Outbox, event: ev.ReconciliationContinued) -> None:
    out.emit(TOPIC, f"{event.tenant_id}/{event.account_id}", event)


def reached_by(account: AccountDesk, time: int) -> int:
    """Return the time of an account with an event of its own, whose time is `time`."""
    return time if account.watermark is None else max(account.watermark, time)


def move_on(account: AccountDesk, clock: BranchClock, time: int) -> int:
    """Let an account's own event advance its time, and the branch's; return the account's."""
    clock.advance(time)
    reached = reached_by(account, time)
    account.move_to(reached)
    account.desk.clock_at = clock.at
    _wake_later(account, clock)
    return reached


def _wake_later(account: AccountDesk, clock: BranchClock) -> None:
    """Let an account wake up in a day, unless it will before."""
    wakes_at = account.desk.wakes_at
    if wakes_at is not None and wakes_at > clock.at:
        return
    if wakes_at is not None:
        clock.cancel(wakes_at, *account.account)
    account.desk.wakes_at = clock.schedule(*account.account)


def pass_time(account: AccountDesk, clock: BranchClock) -> int | None:
    """Let an account's time go on as the branch's has, by a continuation; None: it has had no event yet.

    It goes on from its own time: the branch's itself would make a history that is read in late overdue.
    """
    if account.watermark is None:
        return None
    desk, reached = account.desk, account.watermark
    if desk.clock_at != LONG_AGO:
        reached += max(clock.at - desk.clock_at, 0)
    account.move_to(reached)
    desk.clock_at = max(desk.clock_at, clock.at)
    desk.continues = False
    if may_fall_due(account):
        _wake_later(account, clock)
    elif desk.wakes_at is not None:
        clock.cancel(desk.wakes_at, *account.account)
        desk.wakes_at = None
    return reached


def may_fall_due(account: AccountDesk) -> bool:
    """Whether time alone can change anything in an account: it has open items, or expects statements."""
    return bool(account.due_times.due(_ANY_TIME, 1)) or bool(account.desk.stale) or account.desk.earlier


def settle(account: AccountDesk, step: Step, units: int = UNITS_MAX) -> bool:
    """Do what is due in an account, at most `units` of work; return whether something is left.

    Raises AssertionError for a step that leaves its item where it was.
    """
    reached = account.watermark
    while reached is not None and units > 0 and account.due_times.is_due(reached):
        keys = account.due_times.due(reached, units)
        if not keys:
            return False
        for key in keys:
            entry = account.item(key)
            if units <= 0 or entry is None or entry.status != OPEN or entry.due_at > reached:
                continue  # there is no room any more, or one that was done just now has taken it along
            units -= step(entry)
            after = account.item(key)
            if after is not None and after.status == OPEN and _place(after) <= _place(entry):
                raise AssertionError("a step brings its item further: else it would be done for ever")
    return (
        reached is not None and account.due_times.is_due(reached) and bool(account.due_times.due(reached, 1))
    )


def _place(entry: Entry) -> tuple[int, int, int]:
    return entry.form, entry.stage, entry.due_at


def continue_if(is_left: bool, account: AccountDesk, cause: Any, out: Outbox) -> None:
    """Let an account in which something is left go on by an event of its own, one at a time."""
    if is_left and not account.desk.continues:
        account.desk.continues = True
        name = f"reconciliation_continued/{cause.account_id}"
        _emit(out, ev.ReconciliationContinued(*envelope(cause, name), account_id=cause.account_id))
