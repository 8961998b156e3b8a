"""The model of the ledger: payments that are held and captured, here and elsewhere, until they end.

`tests/ledgers` has the answers.
"""

from __future__ import annotations

from pipeline.verify.model.wire import BALANCES, POSTINGS, derived
from tests.chaos.by_hand import about, envelope, opened
from tests.chaos.ledger_by_hand import AMY, ANN, BEN, Hand, after, captured, held, hours

OPEN = [opened(ANN, 100), opened(AMY), opened(BEN)]
HERE, ELSEWHERE = held("p", ANN, AMY, 60), held("p", ANN, BEN, 60)
CLOSE_BEN = ("AccountClosed", envelope("x", account_id=BEN))
EXTENDED = about("PaymentExtended", "p", ANN, hold_expires_at=hours(20))
CANCELLED = about("PaymentCancelled", "p", ANN)
APPROVED, DECLINED = (about("PaymentReviewed", "p", ANN, approved=approved) for approved in (True, False))
REVIEW = held("p", ANN, AMY, 60, outcome="REVIEW")
TICK = captured("nothing", "k", None, ANN)
"""A command that only moves time."""


def clearing(hand: Hand) -> list[str]:
    accounts = [account_id for branch in hand.branches for _, account_id in branch.accounts]
    return [account_id for account_id in accounts if account_id.startswith("$clearing")]


def test_a_last_capture_says_its_posting_then_what_is_released_then_each_balance_once() -> None:
    hand = Hand().play([*OPEN, HERE])
    hand.out.clear()
    hand.play([captured("p", "1", 20, ANN, final=True)])
    said = [one.fields for one in hand.out if one.topic == POSTINGS]
    columns = ("account_id", "side", "change", "amount_minor", "held_minor_after")
    assert [tuple(map(one.get, columns)) for one in said] == [
        (ANN, "DEBIT", None, 20, 40),
        (AMY, "CREDIT", None, 20, 0),
        (ANN, None, "RELEASED", 40, 0),
    ]
    assert [one.fields["account_id"] for one in hand.out if one.topic == BALANCES] == [ANN, AMY]


def test_an_expiry_is_caused_by_the_payment_and_happens_at_its_end() -> None:
    hand = Hand().play([*OPEN, HERE, after(12, TICK)])
    cause = f"north\0{ANN}\0p"
    event_id = derived(f"{cause}\0decide p", "payment_expired")
    (expired,) = (one.fields for one in hand.out if one.event == "PaymentExpired")
    times = {"occurred_at": hours(10), "correlation_id": "c"}
    assert expired.items() >= {"event_id": event_id, "causation_id": "decide p", **times}.items()
    (released,) = (one.fields for one in hand.out if one.fields.get("change") == "RELEASED")
    own = {"event_id": derived(f"{cause}\0{event_id}", "hold_released"), "booked_at": hours(12)}
    assert released.items() >= {**own, "causation_id": event_id, **times}.items()
    shown = [one.fields["event_id"] for one in hand.out if one.topic == BALANCES][-2:]
    assert shown == [f"{event_id}:north/{ANN}", f"{event_id}:north/{AMY}"]
