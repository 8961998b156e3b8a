"""The model of the ledger: limits now and later, frozen sides, accounts that open again, ends of periods.

`tests/ledgers` has the answers.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.intake import Intake
from pipeline.verify.model.ledger_accounts import ACCOUNT_ROW, MAXIMUM
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import BALANCES, TABLE, home_of, msgpack, row_key
from tests.chaos.by_hand import NOW_US, Event, decided, envelope, legs_of, opened, record, submitted
from tests.chaos.ledger_by_hand import AMY, ANN, BEN, Hand, after, hours
from tests.chaos.test_ledger_holds import TICK

OPEN = [opened(ANN, 100), opened(AMY), opened(BEN)]
PERIOD = hours(-24)


def limit(overdraft: int | None = 0, at: float | None = None, event_id: str = "limit", **other: Any) -> Event:
    limits = {"overdraft_limit_minor": overdraft, "effective_at": None if at is None else hours(at), **other}
    return "AccountLimitSet", envelope(
        event_id,
        account_id=other.get("account_id", ANN),
        **{name: value for name, value in limits.items() if name != "account_id"},
    )


def change(kind: str, account: str = ANN, **other: Any) -> Event:
    return kind, envelope(f"{kind} {account} {other}", account_id=account, **other)


def pay(amount: int, name: str = "p", creditor: str = AMY) -> Event:
    return decided(name, ANN, creditor, amount)


def ended(through: int = PERIOD, period: str = "2026-01") -> Event:
    return "PeriodClosed", envelope(f"end {period}", period_id=period, closed_through=through)


def rows(hand: Hand) -> dict[bytes, bytes | None]:
    return {one.key: one.value for one in hand.out if one.topic == TABLE}


def test_an_account_says_and_keeps_its_limits_and_its_frozen_sides() -> None:
    hand = Hand().play([*OPEN, limit(minimum_balance_minor=20, maximum_balance_minor=500)])
    hand.play([change("AccountFrozen", side="CREDIT")])
    shown = [one.fields for one in hand.out if one.topic == BALANCES][-1]
    said = {"overdraft_limit_minor": 0, "minimum_balance_minor": 20, "maximum_balance_minor": 500}
    assert shown.items() >= {**said, "frozen": "CREDIT", "status": "OPEN"}.items()
    row = rows(hand)[row_key("a", "north", ANN)] or b""
    assert ACCOUNT_ROW.unpack_from(row)[3:7] == (False, b"EUR", 2 | 4, -20)
    assert MAXIMUM.unpack_from(row, ACCOUNT_ROW.size) == (500,)


def test_a_limit_that_is_due_is_said_in_the_name_of_the_event_that_set_it() -> None:
    hand = Hand().play([*OPEN, limit(50, at=5)])
    place = f"{hours(5) + 2**63:020d}"
    key = row_key("d", place, "limit", "north", ANN, "limit")
    assert rows(hand)[key] == b"\1" and rows(hand)[row_key("t", "north", ANN)] is not None
    hand.play([after(7, TICK)])
    shown = [one.fields for one in hand.out if one.topic == BALANCES][-1]
    wanted = {"event_id": f"limit:north/{ANN}", "causation_id": "limit", "occurred_at": hours(5)}
    assert shown.items() >= {**wanted, "overdraft_limit_minor": 50}.items()
    assert [rows(hand)[name] for name in (key, b"n")] == [None] * 2
    assert rows(hand)[row_key("t", "north", ANN)] == b"\2" + msgpack([hours(5), []])


def test_a_limit_that_is_due_counts_on_a_closed_account() -> None:
    hand = Hand().play([*OPEN, limit(50, at=5, account_id=AMY), change("AccountClosed", AMY), after(7, TICK)])
    account = hand.branches[0].accounts["north", AMY]
    assert (account.closed, account.limit) == (True, 50)


def test_a_limit_that_begins_drops_those_that_were_to_begin_before_it_with_their_rows() -> None:
    hand = Hand().play([*OPEN, limit(50, at=5, event_id="late"), limit(60, at=9, event_id="later")])
    hand.play([after(6, limit(1))])
    kept = rows(hand)
    times = {name: f"{hours(at) + 2**63:020d}" for name, at in (("late", 5), ("later", 9))}
    due = [kept[row_key("d", times[name], "limit", "north", ANN, name)] for name in times]
    assert due == [None, b"\1"]
    assert kept[row_key("t", "north", ANN)] == b"\2" + msgpack(
        [hours(6), [[hours(9), "later", "c", 60, None, None]]]
    )


def test_a_period_ends_on_every_branch_and_only_its_home_answers_twice() -> None:
    hand = Hand().play([ended(), ended()])
    (answer,) = (one for one in hand.out if one.event == "CommandRefused")
    assert (answer.key, answer.fields["account_id"]) == (b"north/2026-01", "2026-01")
    assert [branch.closed_through for branch in hand.branches] == [{"north": PERIOD}] * 3


def passed(*events: Event, topic: str) -> tuple[list[str], list[str]]:
    """Return which dead letters intake makes of events of an input, and what it passes on."""
    made: list[Record] = []
    for event, fields in events:
        one = record(event, fields, len(made), topic=topic)
        made.append(one._replace(partition=home_of((one.key or b"").decode(), 1)))
    found = [Intake(0, 1).apply(one) for one in made]
    dead = [code for code, _ in found if code is not None]
    return dead, [one.event for _, on in found for one in on]


def test_intake_passes_on_what_an_input_may_carry_and_nothing_else() -> None:
    journal, pays = submitted("j", legs_of((ANN, "D", 1), (AMY, "C", 1))), pay(1)
    assert passed(journal, ended(), topic="journals") == (["unexpected_event"], ["JournalSubmitted"])
    kinds = [change("AccountFrozen", side="BOTH"), change("AccountReopened"), ended(), journal, pays]
    dead, on = passed(*kinds, topic="accounts")
    assert (dead, on) == (["unexpected_event"] * 2, ["AccountFrozen", "AccountReopened", "PeriodClosed"])


def test_intake_refuses_a_period_that_is_not_over_and_ids_that_no_key_can_have() -> None:
    assert passed(ended(NOW_US), ended(NOW_US + 1), topic="accounts") == (
        ["period_not_over"],
        ["PeriodClosed"],
    )
    for bad in ("", "a/b", "a\0b", "a" * 257):
        fields = submitted(bad, legs_of((ANN, "D", 1), (AMY, "C", 1)))
        assert passed(fields, topic="journals") == (["invalid_id"], [])
        assert passed(ended(period=bad), topic="accounts") == (["invalid_id"], [])
    longest = submitted("a" * 256, legs_of((ANN, "D", 1)), event_id="x")
    assert passed(longest, topic="journals") == ([], ["JournalSubmitted"])
