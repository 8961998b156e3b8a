"""The model of the ledger: what takes journals and payments back, in whole and in part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.by_hand import NOW_US, Event, about, decided, legs_of, submitted, taken_back
from tests.chaos.ledger_by_hand import AMY, ANN, BEN, BOB, DELIVER, Hand, Step, captured, held
from tests.chaos.test_ledger_journals import AFTER_ONE, AS_BEFORE, ONE, OPEN, THREE, TWO, check, hold
from tests.chaos.wire import DAY_US, POSTINGS


def back(reversal: str, *legs: tuple[str, str, int], of: str = "j", **other: Any) -> Event:
    return taken_back(of, reversal, ANN, legs=legs_of(*legs), **other)


def paid_back(reversal: str, amount: int | None = None, debtor: str = ANN, **other: Any) -> Event:
    fields = {"reversal_id": reversal, "amount_minor": amount, "reason": "why", **other}
    return about("PaymentReversed", "p", debtor, event_id=f"take back {reversal}", **fields)


CASES: dict[str, tuple[list[Step], list[str], list[int]]] = {
    "taken back whole": (
        [submitted("j", THREE), DELIVER, back("k"), DELIVER, back("k"), back("l")],
        [
            *("j PREPARING", "j POSTED", "k PREPARING", "k POSTED"),
            *("refused exists", "refused exceeds_settled_amount"),
        ],
        AS_BEFORE,
    ),
    "taken back in part, then the rest, each once": (
        [
            *(submitted("j", TWO), DELIVER, back("k", (ANN, "C", 12), (BEN, "D", 12)), DELIVER),
            *(back("l", (ANN, "C", 9), (BEN, "D", 9)), back("m"), DELIVER, back("n")),
        ],
        [
            *("j PREPARING", "j POSTED", "k PREPARING", "k POSTED", "refused exceeds_settled_amount"),
            *("m PREPARING", "m POSTED", "refused exceeds_settled_amount"),
        ],
        AS_BEFORE,
    ),
    "a refused reversal gives back what it would have taken": (
        [
            *(submitted("j", TWO), DELIVER, decided("p", BEN, BOB, 20), back("k"), DELIVER),
            *(decided("q", BOB, BEN, 20), back("l"), DELIVER, back("k")),
        ],
        [
            *("j PREPARING", "j POSTED", "reserved", "settled 20"),
            *("k PREPARING", "k REFUSED leg 3 insufficient_funds", "reserved", "settled 20"),
            *("l PREPARING", "l POSTED", "refused exists"),
        ],
        AS_BEFORE,
    ),
    "a reversal that is too old gives back, too": (
        [submitted("j", ONE), back("k", occurred_at=NOW_US - 91 * DAY_US), back("k")],
        ["j POSTED", "k REFUSED too_old", "k POSTED"],
        AS_BEFORE,
    ),
    "a reversal of what is not posted, or not there, or of another account": (
        [hold(ONE), back("k"), back("k", of="q"), taken_back("j", "k", AMY)],
        ["j HELD", "refused not_settled", *["refused journal_not_found"] * 2],
        AS_BEFORE,
    ),
    "a reversal's id that is another journal's": (
        [submitted("j", ONE), submitted("k", ONE), back("k")],
        ["j POSTED", "k POSTED", "refused exists_with_different_content"],
        [40, 60, 0, 0, 0],
    ),
    "a reversal is taken back itself": (
        [submitted("j", ONE), back("k"), back("l", of="k")],
        ["j POSTED", "k POSTED", "l POSTED"],
        AFTER_ONE,
    ),
    "a payment is taken back in parts": (
        [
            decided("p", ANN, BEN, 50),
            DELIVER,
            paid_back("k", 20),
            DELIVER,
            paid_back("l", 31),
            paid_back("m"),
            DELIVER,
            paid_back("n"),
        ],
        [
            *("reserved", "settled 50", "k PREPARING", "k POSTED"),
            *("refused exceeds_settled_amount", "m PREPARING", "m POSTED", "refused exceeds_settled_amount"),
        ],
        AS_BEFORE,
    ),
    "what is left of two legs of one account": (
        [
            submitted("j", legs_of((ANN, "D", 10), (AMY, "C", 10), (ANN, "D", 5), (AMY, "C", 5))),
            *(back("k", (ANN, "C", 8), (AMY, "D", 8)), back("l"), back("m")),
        ],
        ["j POSTED", "k POSTED", "l POSTED", "refused exceeds_settled_amount"],
        AS_BEFORE,
    ),
    "no more than was captured is taken back": (
        [
            held("p", ANN, AMY, 50),
            captured("p", "1", 20, ANN, final=True),
            paid_back("k", 21),
            paid_back("l"),
        ],
        [
            "reserved",
            "captured 20 (20 captured, 0 held)",
            "settled 20",
            "refused exceeds_settled_amount",
            "l POSTED",
        ],
        AS_BEFORE,
    ),
    "a payee who has spent it gives nothing back": (
        [
            *(decided("p", ANN, BEN, 50), DELIVER, decided("q", BEN, BOB, 50), paid_back("k"), DELIVER),
            *(paid_back("k"), decided("r", BOB, BEN, 50), paid_back("l")),
        ],
        [
            *("reserved", "settled 50", "reserved", "settled 50", "k PREPARING"),
            *("k REFUSED leg 1 insufficient_funds", "refused exists", "reserved", "settled 50"),
            *("l PREPARING", "l POSTED"),
        ],
        AS_BEFORE,
    ),
    "a payment that cannot be taken back": (
        [
            *(held("p", ANN, AMY, 50), paid_back("k"), paid_back("k", debtor=AMY)),
            *(captured("p", "1", None, ANN), paid_back("k", 0), paid_back("k", -1)),
        ],
        [
            *("reserved", "refused not_settled", "refused payment_not_found"),
            *("captured 50 (50 captured, 0 held)", "settled 50", *["refused amount_must_be_positive"] * 2),
        ],
        [50, 50, 0, 0, 0],
    ),
    "a payment's reversal is no journal's": (
        [decided("p", ANN, AMY, 50), paid_back("k"), back("k", of="p"), back("k", of="k")],
        [
            "reserved",
            "settled 50",
            "k POSTED",
            "refused journal_not_found",
            "refused exists_with_different_content",
        ],
        AS_BEFORE,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_posted_is_taken_back_as_the_rules_say(name: str) -> None:
    check(*CASES[name])


def test_a_journal_that_is_taken_back_knows_how_much_of_each_account_is() -> None:
    hand = Hand().play([*OPEN, submitted("j", ONE), back("k", (ANN, "C", 7), (AMY, "D", 7))])
    journals = hand.branches[0].journals
    assert journals["north", "j"].reversed == {(ANN, "DEBIT", "EUR"): 7, (AMY, "CREDIT", "EUR"): 7}
    assert journals["north", "k"].reverses == "j" and not journals["north", "k"].reverses_payment
    (first, _) = (
        one.fields for one in hand.out if one.fields.get("reverses") == "j" and one.topic == POSTINGS
    )
    assert (first["reason"], first["journal_id"], first["payment_id"]) == ("why", "k", None)
