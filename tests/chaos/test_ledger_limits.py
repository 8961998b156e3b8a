"""The model of the ledger: limits now and later, frozen sides, accounts that open again, ends of periods."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.by_hand import NOW_US, Event, decided, envelope, legs_of, opened, record, submitted
from tests.chaos.forwarding import predict_forwarding
from tests.chaos.ledger_accounts import ACCOUNT_ROW, MAXIMUM
from tests.chaos.ledger_by_hand import AMY, ANN, BEN, HOUR_US, Hand, Step, after, hours
from tests.chaos.ledger_due import TAKEN_MAX
from tests.chaos.log_reader import Record
from tests.chaos.test_ledger_holds import TICK
from tests.chaos.wire import BALANCES, POSTINGS, TABLE, home_of, row_key

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


MINIMUM = limit(minimum_balance_minor=20)
POOR = "rejected insufficient_funds"
CASES: dict[str, tuple[list[Step], list[str]]] = {
    "an overdraft": ([limit(10), pay(110), pay(1, "q")], ["reserved", "settled 110", POOR]),
    "no limit at all": ([limit(None), pay(10_000)], ["reserved", "settled 10000"]),
    "a minimum": ([MINIMUM, pay(81), pay(80, "q")], [POOR, "reserved", "settled 80"]),
    "a minimum in the place of an overdraft": (
        [limit(5, minimum_balance_minor=5), limit(None, minimum_balance_minor=5)],
        ["dead invalid_limit"] * 2,
    ),
    "a minimum of nothing is none": (
        [limit(5, minimum_balance_minor=0), pay(105)],
        ["reserved", "settled 105"],
    ),
    "negative limits": (
        [limit(-1), limit(minimum_balance_minor=-1), limit(maximum_balance_minor=-1)],
        ["dead invalid_limit"] * 3,
    ),
    "a maximum of the creditor here": (
        [limit(maximum_balance_minor=50, account_id=AMY), pay(51), pay(50, "q"), pay(1, "r")],
        ["rejected maximum_balance_exceeded", "reserved", "settled 50", "rejected maximum_balance_exceeded"],
    ),
    "a maximum counts what is on its way": (
        [
            limit(maximum_balance_minor=50, account_id=AMY),
            decided("p", ANN, AMY, 30, "REVIEW"),
            pay(21, "q"),
            ("PaymentReviewed", envelope("x", payment_id="p", debtor_account_id=ANN, approved=True)),
        ],
        ["reserved", "rejected maximum_balance_exceeded", "settled 30"],
    ),
    "a maximum of the creditor elsewhere": (
        [limit(maximum_balance_minor=50, account_id=BEN), pay(51, creditor=BEN)],
        ["reserved", "failed maximum_balance_exceeded"],
    ),
    "a maximum of a leg": (
        [
            limit(maximum_balance_minor=10, account_id=BEN),
            submitted("j", legs_of((ANN, "D", 11), (AMY, "C", 5), (BEN, "C", 6))),
            submitted("k", legs_of((ANN, "D", 11), (BEN, "C", 6), (BEN, "C", 5))),
        ],
        ["j PREPARING", "k PREPARING", "j POSTED", "k REFUSED leg 2 maximum_balance_exceeded"],
    ),
    "a maximum of two legs together": (
        [
            limit(maximum_balance_minor=10, account_id=AMY),
            submitted("j", legs_of((ANN, "D", 11), (AMY, "C", 6), (AMY, "C", 5))),
        ],
        ["j REFUSED leg 3 maximum_balance_exceeded"],
    ),
    "a limit from a time on": (
        [limit(50, at=5), pay(150), after(4.9, pay(150, "q")), after(5, pay(150, "r"))],
        [POOR, POOR, "reserved", "settled 150"],
    ),
    "a limit from a time that is over": ([limit(50, at=-1), pay(150)], ["reserved", "settled 150"]),
    "two limits at one time, by the names of their events": (
        [limit(10, 5, "b"), limit(90, 5, "a"), after(6, pay(111)), after(6, pay(110, "q"))],
        [POOR, "reserved", "settled 110"],
    ),
    "a limit of a closed account": (
        [change("AccountClosed", AMY), limit(1, account_id=AMY), limit(1, account_id="nobody")],
        ["refused account_closed", "refused account_not_found"],
    ),
    "frozen against debits": (
        [
            change("AccountFrozen", side="DEBIT"),
            pay(1),
            submitted("j", legs_of((ANN, "D", 1), (AMY, "C", 1))),
        ],
        ["rejected debtor_frozen", "j REFUSED leg 1 debtor_frozen"],
    ),
    "frozen against credits, here and elsewhere": (
        [
            *(change("AccountFrozen", AMY, side="CREDIT"), change("AccountFrozen", BEN, side="CREDIT")),
            *(pay(1), pay(1, "q", BEN), submitted("j", legs_of((ANN, "D", 2), (AMY, "C", 2)))),
        ],
        ["rejected creditor_frozen", "reserved", "j REFUSED leg 2 creditor_frozen", "failed creditor_frozen"],
    ),
    "a side that is frozen already, and one that is not": (
        [
            *(change("AccountFrozen", side="DEBIT"), change("AccountFrozen", side="DEBIT")),
            *(change("AccountUnfrozen", side="CREDIT"), change("AccountFrozen", side="BOTH")),
            *(
                change("AccountUnfrozen", side="CREDIT"),
                pay(1),
                change("AccountUnfrozen", side="BOTH"),
                pay(1, "q"),
            ),
        ],
        [
            *("refused exists", "refused account_not_frozen", "rejected debtor_frozen"),
            *("reserved", "settled 1"),
        ],
    ),
    "closed goes before frozen, and frozen before the currency": (
        [
            *(change("AccountFrozen", AMY, side="BOTH"), decided("p", ANN, AMY, 1, currency="USD")),
            *(change("AccountFrozen", side="BOTH"), decided("q", ANN, AMY, 1, currency="USD")),
            *(change("AccountUnfrozen", side="BOTH"), change("AccountClosed", AMY), pay(1, "r")),
        ],
        ["rejected currency_mismatch", "rejected debtor_frozen", "rejected creditor_closed"],
    ),
    "open again": (
        [
            *(change("AccountReopened", AMY), change("AccountClosed", AMY), change("AccountReopened", AMY)),
            *(change("AccountReopened", "nobody"), pay(1)),
        ],
        ["refused account_not_closed", "refused account_not_found", "reserved", "settled 1"],
    ),
    "accounts of the ledger's own": (
        [
            change(kind, "$clearing:EUR:0", side="BOTH")
            for kind in ("AccountFrozen", "AccountUnfrozen", "AccountReopened")
        ],
        ["dead invalid_account_id"] * 3,
    ),
    "a closed period takes nothing that may not move": (
        [
            ended(),
            submitted("j", legs_of((ANN, "D", 1), (AMY, "C", 1)), effective_at=PERIOD),
            submitted("k", legs_of((ANN, "D", 1), (AMY, "C", 1)), effective_at=PERIOD + 1),
            submitted("l", legs_of((ANN, "D", 1), (AMY, "C", 1)), effective_at=0, late="NEXT_PERIOD"),
        ],
        ["j REFUSED period_closed", "k POSTED", "l POSTED"],
    ),
    "a period that is closed already, said once": (
        [ended(), ended(), ended(PERIOD - 1, "2025-12"), ended(PERIOD + 1, "2026-02")],
        ["refused exists"] * 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_limits_and_periods_are_kept_as_the_rules_say(name: str) -> None:
    steps, answers = CASES[name]
    assert Hand().play([*OPEN, *steps]).answers == answers


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
    key = row_key("x", place, "limit", "north", ANN, "limit")
    assert rows(hand)[key] == b"\1" and rows(hand)[row_key("t", "north", ANN)] is not None
    hand.play([after(7, TICK)])
    shown = [one.fields for one in hand.out if one.topic == BALANCES][-1]
    wanted = {"event_id": f"limit:north/{ANN}", "causation_id": "limit", "occurred_at": hours(5)}
    assert shown.items() >= {**wanted, "overdraft_limit_minor": 50}.items()
    assert [rows(hand)[name] for name in (key, row_key("t", "north", ANN), b"n")] == [None] * 3


def test_a_limit_that_is_due_leaves_a_closed_account() -> None:
    hand = Hand().play([*OPEN, limit(50, at=5, account_id=AMY), change("AccountClosed", AMY), after(7, TICK)])
    assert hand.branches[0].accounts["north", AMY].limit == 0 and not hand.branches[0].planned["north", AMY]


def test_an_account_has_a_hundred_limits_waiting_and_no_more() -> None:
    hand = Hand().play([*OPEN, *(limit(number, 5, f"l{number}") for number in range(101)), limit(7, 5, "l3")])
    assert hand.answers == ["dead too_many_limits"]


def test_a_command_takes_a_hundred_of_what_is_due_and_the_next_goes_on() -> None:
    many = [
        decided(f"p{number}", ANN, AMY, 1, hold_expires_at=hours(1 + number / 1000)) for number in range(99)
    ]
    more = [decided(f"q{number}", ANN, AMY, 1, hold_expires_at=hours(2)) for number in range(3)]
    hand = Hand().play([opened(ANN, 200), opened(AMY), *many, *more])
    place = hand.branches[0]
    hand.answers.clear()
    hand.play([after(5, TICK)])
    assert hand.answers == ["expired"] * TAKEN_MAX + ["refused payment_not_found"]
    assert (len(place.due), place.earliest_due) == (2, hours(2))
    hand.play([after(5, TICK)])
    assert hand.answers[-3:] == ["expired", "expired", "refused payment_not_found"]
    assert (len(place.due), place.earliest_due) == (0, None)


def test_what_comes_into_a_closed_period_counts_after_it_and_says_what_was_asked() -> None:
    late: dict[str, Any] = {"occurred_at": PERIOD - HOUR_US}
    legs = legs_of((ANN, "D", 1), (BEN, "C", 1))
    hand = Hand().play([*OPEN, ended()])
    hand.play(
        [
            decided("p", ANN, AMY, 1, **late),
            decided("q", ANN, AMY, 1),
            submitted("j", legs, effective_at=PERIOD, late="NEXT_PERIOD"),
            submitted("k", legs, effective_at=PERIOD + 7),
        ]
    )
    said = [
        one.fields for one in hand.out if one.topic == POSTINGS and one.fields["account_id"] in (AMY, BEN)
    ]
    times = [(posting["effective_at"], posting["asked_at"]) for posting in said]
    assert times == [(PERIOD + 1, None), (None, None), (PERIOD + 1, PERIOD), (PERIOD + 7, None)]


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
    dead, on = predict_forwarding(made, 1)
    return list(dead.values()), [one.event for one in on]


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
