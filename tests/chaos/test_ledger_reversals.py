"""The model of the ledger: what takes journals and payments back, in whole and in part.

`tests/ledgers` has the answers.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.wire import POSTINGS
from tests.chaos.by_hand import Event, legs_of, submitted, taken_back
from tests.chaos.ledger_by_hand import AMY, ANN, Hand
from tests.chaos.test_ledger_journals import ONE, OPEN


def back(reversal: str, *legs: tuple[str, str, int], of: str = "j", **other: Any) -> Event:
    return taken_back(of, reversal, ANN, legs=legs_of(*legs), **other)


def test_a_journal_that_is_taken_back_knows_how_much_of_each_account_is() -> None:
    hand = Hand().play([*OPEN, submitted("j", ONE), back("k", (ANN, "C", 7), (AMY, "D", 7))])
    journals = hand.branches[0].journals
    assert journals["north", ANN, "j"].reversed == {(ANN, "DEBIT", "EUR"): 7, (AMY, "CREDIT", "EUR"): 7}
    assert journals["north", ANN, "k"].reverses == "j" and not journals["north", ANN, "k"].reverses_payment
    (first, _) = (
        one.fields for one in hand.out if one.fields.get("reverses") == "j" and one.topic == POSTINGS
    )
    assert (first["reason"], first["journal_id"], first["payment_id"]) == ("why", "k", None)
