"""The model of the ledger: journals of many legs, what they say. `tests/ledgers` has their answers."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.wire import COMMANDS, POSTINGS, derived
from tests.chaos.by_hand import (
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
    after,
    hours,
)
from tests.chaos.test_ledger_holds import TICK

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
