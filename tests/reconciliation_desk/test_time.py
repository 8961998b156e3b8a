"""Time of an account and of a branch: what falls due by whom, a bounded part an event, and what goes on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.rows import MET, MISSING, OPEN, Entry, Posting
from pipeline.domain.reconciliation.desk.time import (
    DECISION,
    MEETING,
    UNITS_MAX,
    WAKES_MAX,
    BranchClock,
    continue_if,
    move_on,
    pass_time,
    settle,
    time_of,
    wake_key,
)

DAY = 86_400_000_000
LATER = 10**6 * DAY


class Branch:
    """One partition whose items meet when they are due, and are missing 31 days later."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.log: list[ev.ReconciliationContinued] = []
        """Continuations that are on their way."""
        self.done: list[str] = []
        """What was done: posting and step."""
        self.number = 0

    def posts(self, account: str, day: float, *postings: str, recorded: float | None = None) -> None:
        """Let an account have an event of its own, with postings that are due a day later."""
        self.number += 1
        cause = ev.PriceQuoted(f"e{self.number}", "t", int(day * DAY), "c", None, "X", 1, "EUR")
        at = Arrival(LATER if recorded is None else int(recorded * DAY), 0, 1)
        desk = AccountDesk(self.rows, "t", account, DAY)
        clock, out = BranchClock(self.rows), Outbox()
        reached = move_on(desk, clock, time_of(cause, at))
        for name in postings:
            desk.write(Posting("t", account, name, "EUR", 5, 0, 0, reached + DAY, (), ()))
        self._finish(
            desk, clock, ev.ReconciliationContinued("e", "t", cause.occurred_at, "c", None, account), out
        )

    def ticks(self, day: float) -> None:
        """Let the branch have time alone."""
        self.number += 1
        tick = ev.BranchTicked(f"tick{self.number}", "", int(day * DAY), "c", None, "$clock:0", 0)
        clock, out = BranchClock(self.rows), Outbox()
        clock.advance(time_of(tick, Arrival(LATER, 0, 1)))
        clock.wake(tick, out)
        clock.close()
        self._say(out)

    def goes_on(self, most: int = 1_000) -> int:
        """Apply continuations until there is none; return how many there were."""
        count = 0
        while self.log and count < most:
            event = self.log.pop(0)
            desk = AccountDesk(self.rows, event.tenant_id, event.account_id, DAY)
            clock, out = BranchClock(self.rows), Outbox()
            if pass_time(desk, clock) is not None:
                self._finish(desk, clock, event, out)
            count += 1
        return count

    def _finish(self, desk: AccountDesk, clock: BranchClock, cause: Any, out: Outbox) -> None:
        def step(entry: Entry) -> int:
            assert isinstance(entry, Posting)
            is_met = entry.stage == MET
            self.done.append(f"{entry.posting_id} {'missing' if is_met else 'meets'}")
            change: dict[str, Any] = {"status": MISSING} if is_met else {"stage": MET}
            desk.write(msgspec.structs.replace(entry, due_at=entry.due_at + 31 * DAY, **change))
            return DECISION if is_met else MEETING

        continue_if(settle(desk, step), desk, cause, out)
        clock.wake(cause, out)
        desk.close()
        clock.close()
        self._say(out)

    def _say(self, out: Outbox) -> None:
        for topic, key, event in out.items:
            assert (topic, key) == ("reconciliation-items", f"{event.tenant_id}/{event.account_id}")
            self.log.append(event)

    def time_of(self, account: str) -> float:
        return (AccountDesk(self.rows, "t", account, DAY).watermark or 0) / DAY


def test_an_item_falls_due_by_its_accounts_own_events() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.posts("b", 50)
    assert branch.done == [], "the time of another account is not its time"
    branch.posts("a", 11)
    assert branch.done == ["P1 meets"]
    branch.posts("a", 42)
    assert branch.done == ["P1 meets", "P1 missing"]


def test_both_steps_are_done_at_once_where_both_are_due() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.posts("a", 60)
    assert (branch.done, branch.log) == (["P1 meets", "P1 missing"], [])


def test_an_event_is_not_later_than_its_record_and_time_never_goes_back() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.posts("a", 99, recorded=10.5)
    assert (branch.done, branch.time_of("a")) == ([], 10.5)
    branch.posts("a", 3)
    branch.ticks(2)
    branch.goes_on()
    assert branch.time_of("a") == 10.5


# --- a bounded part an event


@pytest.mark.parametrize("count", [UNITS_MAX, UNITS_MAX + 1, 3 * UNITS_MAX])
def test_an_event_does_a_bounded_part_and_the_rest_goes_on_by_itself(count: int) -> None:
    branch = Branch()
    branch.posts("a", 10, *(f"P{number:04d}" for number in range(count)))
    branch.posts("a", 11)
    assert len(branch.done) == UNITS_MAX
    assert len(branch.log) == (count > UNITS_MAX)
    assert branch.goes_on() == -(-count // UNITS_MAX) - 1
    assert branch.done == [f"P{number:04d} meets" for number in range(count)], "in order, each once"


def test_a_decision_costs_more_units_than_a_meeting() -> None:
    branch = Branch()
    branch.posts("a", 10, *(f"P{number}" for number in range(20)))
    branch.posts("a", 11)
    branch.done.clear()
    branch.posts("a", 42)
    assert len(branch.done) == UNITS_MAX // DECISION
    assert branch.goes_on() == 2
    assert len(branch.done) == 20


def test_only_one_continuation_of_an_account_is_on_its_way() -> None:
    branch = Branch()
    branch.posts("a", 10, *(f"P{number:04d}" for number in range(5 * UNITS_MAX)))
    for day in (11, 11.1, 11.2):
        branch.posts("a", day)
    assert len(branch.log) == 1
    (event,) = branch.log
    assert (event.tenant_id, event.account_id, event.occurred_at) == ("t", "a", 11 * DAY)
    assert branch.goes_on() == 2, "what the other events have done is not done again"
    assert len(branch.done) == len(set(branch.done)) == 5 * UNITS_MAX


def test_a_step_that_leaves_its_item_where_it_was_is_a_defect() -> None:
    rows = MemoryRows()
    desk = AccountDesk(rows, "t", "a", DAY)
    move_on(desk, BranchClock(rows), 5 * DAY)
    desk.write(Posting("t", "a", "P1", "EUR", 5, 0, 0, DAY, (), ()))
    with pytest.raises(AssertionError, match="further"):
        settle(desk, lambda entry: 1)


# --- quiet accounts


def test_a_quiet_account_falls_due_by_the_time_of_its_branch() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.ticks(10.9)
    assert branch.log == [], "it wakes up once a day"
    branch.ticks(11)
    (event,) = branch.log
    assert (event.tenant_id, event.account_id, event.causation_id) == ("t", "a", None)
    branch.goes_on()
    assert (branch.done, branch.time_of("a")) == (["P1 meets"], 11)
    for day in range(12, 43):
        branch.ticks(day)
        branch.goes_on()
    assert branch.done == ["P1 meets", "P1 missing"]


def test_any_event_of_the_partition_gives_time_to_quiet_accounts() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.posts("b", 12)
    assert [event.account_id for event in branch.log] == ["a"]
    branch.goes_on()
    assert (branch.done, branch.time_of("a")) == (["P1 meets"], 12)


def test_a_history_that_is_read_in_late_is_not_overdue_at_once() -> None:
    branch = Branch()
    branch.posts("b", 5_000)
    branch.posts("a", 10, "P1")
    branch.ticks(5_000.5)
    branch.goes_on()
    assert (branch.done, branch.time_of("a")) == ([], 10), "half a day is no day"
    branch.ticks(5_001.25)
    branch.goes_on()
    assert (branch.done, branch.time_of("a")) == (["P1 meets"], 11.25)


def test_an_account_without_open_items_wakes_up_no_more() -> None:
    branch = Branch()
    branch.posts("a", 10)
    branch.ticks(11)
    assert branch.goes_on() == 1
    branch.ticks(20)
    assert branch.goes_on() == 0
    assert not [key for key in branch.rows.data if key[:1] == b"t"]
    branch.posts("a", 20, "P1")
    branch.ticks(21)
    assert branch.goes_on() == 1 and branch.done == ["P1 meets"]


def test_an_event_wakes_a_bounded_number_of_accounts_and_all_come_to_their_turn() -> None:
    branch = Branch()
    accounts = [f"a{number:04d}" for number in range(3 * WAKES_MAX)]
    for account in accounts:
        branch.posts(account, 10, f"P-{account}")
    branch.ticks(11)
    assert len(branch.log) == WAKES_MAX
    assert branch.goes_on() == len(accounts)
    assert sorted(branch.done) == [f"P-{account} meets" for account in accounts]


def test_the_wake_up_of_an_account_is_one_row() -> None:
    branch = Branch()
    branch.posts("a", 10, "P1")
    branch.posts("a", 10.5)
    assert [key for key in branch.rows.data if key[:1] == b"t"] == [wake_key(11 * DAY, "t", "a")]
    branch.ticks(30)
    branch.posts("a", 30.5)
    branch.goes_on()
    assert len([key for key in branch.rows.data if key[:1] == b"t"]) == 1


def test_a_continuation_of_an_account_that_nobody_knows_has_no_effect() -> None:
    branch = Branch()
    branch.log.append(ev.ReconciliationContinued("e", "t", DAY, "c", None, "nobody"))
    branch.goes_on()
    assert branch.rows.data == {}


def test_the_same_events_wake_the_same_accounts_whether_the_clock_is_kept_for_a_run_or_not() -> None:
    """A run of events has one clock: what it schedules is there for the next event of the run."""
    one_by_one, at_once = MemoryRows(), MemoryRows()
    said: list[list[str]] = []
    for rows, is_run in ((one_by_one, False), (at_once, True)):
        out, clock = Outbox(), BranchClock(rows)
        for number, (account, day) in enumerate([("a", 10), ("b", 10), ("c", 12), ("b", 13)]):
            desk = AccountDesk(rows, "t", account, DAY)
            if not is_run:
                clock = BranchClock(rows)
            move_on(desk, clock, day * DAY)
            cause = ev.ReconciliationContinued(f"e{number}", "t", day * DAY, "c", None, account)
            clock.wake(cause, out)
            desk.close()
            if not is_run:
                clock.close()
        clock.close()
        said.append([event.account_id for _, _, event in out.items])
    assert said[0] == said[1] == ["a", "b", "c"]
    assert one_by_one.data == at_once.data


def test_an_open_item_in_memory_is_due_as_a_stored_one() -> None:
    rows = MemoryRows()
    desk = AccountDesk(rows, "t", "a", DAY)
    desk.write(Posting("t", "a", "P1", "EUR", 5, 0, 0, DAY, (), ()))
    desk.close()
    desk = AccountDesk(rows, "t", "a", DAY)
    desk.write(Posting("t", "a", "P0", "EUR", 5, 0, 0, DAY, (), (), status=OPEN))
    assert desk.due_times.due(DAY, 5) == [b"o\0P0", b"o\0P1"]
