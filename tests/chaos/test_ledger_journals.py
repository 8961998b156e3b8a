"""The model of the ledger: journals of many legs, on one branch and on several."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.by_hand import (
    NOW_US,
    Event,
    decided,
    envelope,
    legs_of,
    on_journal,
    opened,
    submitted,
)
from tests.chaos.ledger_by_hand import (
    AMY,
    ANN,
    BEN,
    BOB,
    CAT,
    DELIVER,
    Hand,
    Step,
    after,
    hours,
)
from tests.chaos.test_ledger_holds import TICK, clearing
from tests.chaos.wire import COMMANDS, DAY_US, LONG_MAX, POSTINGS, derived

EVERYBODY = (ANN, AMY, BEN, BOB, CAT)
OPEN = [opened(ANN, 100), opened(AMY), opened(BEN), opened(BOB), opened(CAT)]
ONE = legs_of((ANN, "D", 30), (AMY, "C", 30))
TWO = legs_of((ANN, "D", 30), (AMY, "C", 10), (BEN, "C", 20))
THREE = legs_of((ANN, "D", 30), (BEN, "C", 10), (CAT, "C", 15), (BOB, "C", 5))
CONFIRM, VOID = on_journal("JournalConfirmed", "j", ANN), on_journal("JournalVoided", "j", ANN)
CLOSE_BEN = ("AccountClosed", envelope("x", account_id=BEN))
CLOSE_CAT = ("AccountClosed", envelope("y", account_id=CAT))


def hold(legs: list[dict[str, Any]], until: float = 10) -> Event:
    return submitted("j", legs, hold_expires_at=hours(until))


def numbered(first: int, legs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [leg | {"leg_no": first + index} for index, leg in enumerate(legs)]


AS_BEFORE, AFTER_ONE = [100, 0, 0, 0, 0], [70, 30, 0, 0, 0]
AFTER_TWO, AFTER_THREE = [70, 10, 20, 0, 0], [70, 0, 10, 5, 15]
CASES: dict[str, tuple[list[Step], list[str], list[int]]] = {
    "one branch": ([submitted("j", ONE)], ["j POSTED"], AFTER_ONE),
    "two branches": ([submitted("j", TWO)], ["j PREPARING", "j POSTED"], AFTER_TWO),
    "three branches": ([submitted("j", THREE)], ["j PREPARING", "j POSTED"], AFTER_THREE),
    "a fee and its payer in two entries": (
        [submitted("j", [*ONE, *numbered(11, legs_of((ANN, "D", 2), (BEN, "C", 2), entry_no=1))])],
        ["j PREPARING", "j POSTED"],
        [68, 30, 2, 0, 0],
    ),
    "it comes again": (
        [submitted("j", ONE), submitted("j", ONE), submitted("j", TWO), submitted("j", ONE, reason="other")],
        ["j POSTED", "refused exists", *["refused exists_with_different_content"] * 2],
        AFTER_ONE,
    ),
    "held and confirmed": (
        [hold(ONE), CONFIRM, CONFIRM, VOID],
        ["j HELD", "j POSTED", *["refused already_settled"] * 2],
        AFTER_ONE,
    ),
    "held over three branches and confirmed": (
        [hold(THREE), CONFIRM, DELIVER, CONFIRM],
        ["j PREPARING", "refused journal_not_held", "j HELD", "j POSTED"],
        AFTER_THREE,
    ),
    "held over three branches and voided": (
        [hold(THREE), DELIVER, VOID, CONFIRM],
        ["j PREPARING", "j HELD", "j VOIDED cancelled", "refused journal_not_held"],
        AS_BEFORE,
    ),
    "held over three branches until it expires": (
        [hold(THREE), DELIVER, after(10, TICK), CONFIRM],
        [
            "j PREPARING",
            "j HELD",
            "j EXPIRED expired",
            "refused payment_not_found",
            "refused journal_not_held",
        ],
        AS_BEFORE,
    ),
    "confirmed too late": (
        [hold(TWO), DELIVER, after(10, CONFIRM)],
        ["j PREPARING", "j HELD", "j EXPIRED expired", "refused journal_not_held"],
        AS_BEFORE,
    ),
    "held too late: it has expired before all have answered": (
        [hold(TWO), after(10, TICK)],
        ["j PREPARING", "refused payment_not_found", "j EXPIRED expired"],
        AS_BEFORE,
    ),
    "held until a time that is over": ([hold(ONE, 0)], ["j REFUSED expired"], AS_BEFORE),
    "another account's, and nobody's": (
        [hold(ONE), on_journal("JournalConfirmed", "j", AMY), on_journal("JournalVoided", "q", ANN)],
        ["j HELD", *["refused journal_not_found"] * 2],
        AS_BEFORE,
    ),
    "refused at home": (
        [submitted("j", legs_of((ANN, "D", 101), (BEN, "C", 101)))],
        ["j REFUSED leg 1 insufficient_funds"],
        AS_BEFORE,
    ),
    "refused by the second branch": (
        [CLOSE_BEN, submitted("j", TWO), DELIVER, submitted("j", TWO)],
        ["j PREPARING", "j REFUSED leg 3 creditor_closed", "refused exists"],
        AS_BEFORE,
    ),
    "refused by one of two other branches": (
        [CLOSE_CAT, submitted("j", THREE)],
        ["j PREPARING", "j REFUSED leg 3 creditor_closed"],
        AS_BEFORE,
    ),
    "refused by both other branches: the lower leg is named": (
        [CLOSE_BEN, CLOSE_CAT, submitted("j", THREE)],
        ["j PREPARING", "j REFUSED leg 2 creditor_closed"],
        AS_BEFORE,
    ),
    "a debtor on another branch has too little": (
        [submitted("j", legs_of((ANN, "C", 1), (BEN, "D", 1)))],
        ["j PREPARING", "j REFUSED leg 2 insufficient_funds"],
        AS_BEFORE,
    ),
    "two legs together take more than there is": (
        [submitted("j", legs_of((ANN, "D", 60), (AMY, "C", 60), (ANN, "D", 41), (AMY, "C", 41)))],
        ["j REFUSED leg 3 insufficient_funds"],
        AS_BEFORE,
    ),
    "one leg": ([submitted("j", ONE[:1])], ["j REFUSED invalid_legs"], AS_BEFORE),
    "not of a leg's account": (
        [submitted("j", legs_of((BEN, "D", 1), (BOB, "C", 1)), account_id=ANN)],
        ["j REFUSED invalid_legs"],
        AS_BEFORE,
    ),
    "two legs of one number": (
        [submitted("j", [leg | {"leg_no": 1} for leg in ONE])],
        ["j REFUSED invalid_legs"],
        AS_BEFORE,
    ),
    "nothing": (
        [submitted("j", legs_of((ANN, "D", 0), (AMY, "C", 0)))],
        ["j REFUSED leg 1 amount_must_be_positive"],
        AS_BEFORE,
    ),
    "an account of the ledger's own": (
        [submitted("j", legs_of((ANN, "D", 1), ("$clearing:EUR:0", "C", 1)))],
        ["j REFUSED leg 2 creditor_not_found"],
        AS_BEFORE,
    ),
    "from an account to itself": (
        [submitted("j", legs_of((AMY, "C", 1), (ANN, "D", 1), (ANN, "C", 1), (AMY, "D", 1)))],
        ["j REFUSED leg 1 accounts_must_differ"],
        AS_BEFORE,
    ),
    "more than there is": (
        [submitted("j", legs_of((ANN, "D", 1), (AMY, "C", 2)))],
        ["j REFUSED legs_not_balanced"],
        AS_BEFORE,
    ),
    "balanced, but not entry by entry": (
        [submitted("j", [ONE[0], ONE[1] | {"entry_no": 1}])],
        ["j REFUSED legs_not_balanced"],
        AS_BEFORE,
    ),
    "a sum beyond 64 bits": (
        [submitted("j", legs_of(*[(ANN, "D", LONG_MAX)] * 2, *[(AMY, "C", LONG_MAX)] * 2))],
        ["j REFUSED overflow"],
        AS_BEFORE,
    ),
    "another currency": (
        [submitted("j", legs_of((ANN, "D", 1), (AMY, "C", 1), currency="USD"))],
        ["j REFUSED leg 1 currency_mismatch"],
        AS_BEFORE,
    ),
    "too old, and forgotten": (
        [
            decided("p", ANN, AMY, 0),
            submitted("j", ONE, occurred_at=NOW_US - 91 * DAY_US),
            submitted("j", ONE),
        ],
        ["rejected amount_must_be_positive", "j REFUSED too_old", "j POSTED"],
        AFTER_ONE,
    ),
}


def check(steps: list[Step], answers: list[str], balances: list[int]) -> None:
    """Play steps; compare the answers and the balances, and see that nothing is held without a reason."""
    hand = Hand().play([*OPEN, *steps])
    assert hand.answers == answers
    assert [balance for balance, _ in hand.books(*EVERYBODY)] == balances
    assert sum(balance for balance, _ in hand.books(*clearing(hand))) == 0
    states = [one.state for branch in hand.branches for one in branch.journals.values()]
    states += [one.state for branch in hand.branches for one in branch.payments.values()]
    held_now = sum(amount for _, amount in hand.books(*EVERYBODY, *clearing(hand)))
    assert bool(held_now) == bool({"HELD", "AUTHORISED"} & set(states))


@pytest.mark.parametrize("name", CASES)
def test_a_journal_ends_as_the_rules_say(name: str) -> None:
    check(*CASES[name])


COLUMNS = ("account_id", "side", "change", "amount_minor", "held_minor_after", "purpose")


def postings(hand: Hand) -> list[tuple[Any, ...]]:
    return [tuple(map(one.fields.get, COLUMNS)) for one in hand.out if one.topic == POSTINGS]


def test_legs_are_paired_by_their_numbers_and_clearing_stands_for_other_branches() -> None:
    legs = legs_of((ANN, "D", 10), (AMY, "C", 25), (BEN, "D", 30), (CAT, "C", 15), purpose="fee")
    hand = Hand().play(OPEN)
    hand.play([decided("p", ANN, BEN, 40)])
    hand.out.clear()
    hand.play([submitted("j", legs)])
    here, ben, cat = (f"$clearing:EUR:{number}" for number in range(3))
    assert postings(hand) == [
        (ANN, None, "PLACED", 10, 10, None),
        (here, None, "PLACED", 15, 15, None),
        (BEN, None, "PLACED", 30, 30, None),
        (cat, None, "PLACED", 15, 15, None),
        (ANN, "DEBIT", None, 10, 0, "fee"),
        (AMY, "CREDIT", None, 10, 0, "fee"),
        (here, "DEBIT", None, 15, 0, None),
        (AMY, "CREDIT", None, 15, 0, "fee"),
        (BEN, "DEBIT", None, 30, 0, "fee"),
        (ben, "CREDIT", None, 30, 0, None),
        (cat, "DEBIT", None, 15, 0, None),
        (CAT, "CREDIT", None, 15, 0, "fee"),
    ]


def test_a_journal_that_is_posted_at_once_never_shows_a_hold() -> None:
    legs = legs_of((ANN, "D", 10), (AMY, "C", 6), (ANN, "D", 5), (AMY, "C", 9))
    hand = Hand().play(OPEN)
    hand.out.clear()
    hand.play([submitted("j", legs)])
    sides = ((ANN, "DEBIT"), (AMY, "CREDIT"))
    assert postings(hand) == [
        (account, side, None, amount, 0, None) for amount in (6, 4, 5) for account, side in sides
    ]
    ids = [one.fields["entry_id"] for one in hand.out if one.topic == POSTINGS]
    assert ids == [derived(f"north\0{ANN}\0j\0submit j", f"entry:{index}") for index in (0, 0, 1, 1, 2, 2)]


def test_only_branches_that_hold_their_legs_are_told_to_release_them() -> None:
    hand = Hand().play([*OPEN, CLOSE_CAT, submitted("j", THREE)])
    said = [(one.event, one.fields["account_id"]) for one in hand.out if one.topic == COMMANDS]
    requested = [("JournalLegsRequested", BEN), ("JournalLegsRequested", CAT)]
    answered = [("JournalLegsAnswered", BEN), ("JournalLegsAnswered", CAT)]
    assert said == [*requested, *answered, ("JournalLegsEnded", BEN)]
    assert [branch.groups["north", ANN, "j"].state for branch in hand.branches] == [
        "RELEASED",
        "RELEASED",
        "REFUSED",
    ]


def test_an_expired_journal_is_caused_by_its_submission_and_ends_at_its_time() -> None:
    hand = Hand().play([*OPEN, hold(TWO), DELIVER, after(12, TICK)])
    cause = f"north\0{ANN}\0j"
    event_id = derived(f"{cause}\0submit j", "journal_expired")
    (expired,) = (one.fields for one in hand.out if one.fields.get("state") == "EXPIRED")
    assert (
        expired.items()
        >= {"event_id": event_id, "causation_id": "submit j", "occurred_at": hours(10)}.items()
    )
    (ended,) = (one.fields for one in hand.out if one.event == "JournalLegsEnded")
    own = {"event_id": derived(f"{cause}\0{event_id}", "legs_ended:1"), "causation_id": event_id}
    assert ended.items() >= {**own, "posted": False, "occurred_at": hours(10)}.items()
    released = [one.fields["event_id"] for one in hand.out if one.fields.get("change") == "RELEASED"]
    assert released[0] == derived(f"{cause}\0{event_id}", "hold_released:0")


@pytest.mark.parametrize("kind", ["JournalLegsRequested", "JournalLegsAnswered", "JournalLegsEnded"])
def test_what_branches_say_twice_is_a_dead_letter(kind: str) -> None:
    hand = Hand().play([*OPEN, submitted("j", TWO)])
    (said,) = (one for one in hand.out if one.event == kind)
    hand.play([(kind, said.fields)])
    again = "legs_exist" if kind == "JournalLegsRequested" else "legs_not_expected"
    assert hand.answers[-1] == f"dead {again}"
