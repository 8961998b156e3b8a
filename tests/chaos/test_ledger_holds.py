"""The model of the ledger: payments that are held and captured, here and elsewhere, until they end."""

from __future__ import annotations

import pytest

from tests.chaos.by_hand import about, decided, envelope, opened
from tests.chaos.ledger_by_hand import AMY, ANN, BEN, DELIVER, Hand, Step, after, captured, held, hours
from tests.chaos.wire import BALANCES, POSTINGS, derived

OPEN = [opened(ANN, 100), opened(AMY), opened(BEN)]
HERE, ELSEWHERE = held("p", ANN, AMY, 60), held("p", ANN, BEN, 60)
CLOSE_BEN = ("AccountClosed", envelope("x", account_id=BEN))
EXTENDED = about("PaymentExtended", "p", ANN, hold_expires_at=hours(20))
CANCELLED = about("PaymentCancelled", "p", ANN)
APPROVED, DECLINED = (about("PaymentReviewed", "p", ANN, approved=approved) for approved in (True, False))
REVIEW = held("p", ANN, AMY, 60, outcome="REVIEW")
TICK = captured("nothing", "k", None, ANN)
"""A command that only moves time."""

CASES: dict[str, tuple[list[Step], list[str], list[tuple[int, int]]]] = {
    "a hold is placed": ([HERE], ["reserved"], [(100, 60), (0, 0)]),
    "a hold that ends before it begins": (
        [held("p", ANN, AMY, 60, 0)],
        ["rejected expired"],
        [(100, 0), (0, 0)],
    ),
    "it is known after its end, too": (
        [HERE, CANCELLED, HERE],
        ["reserved", "cancelled", "refused exists"],
        [(100, 0), (0, 0)],
    ),
    "captured in parts": (
        [HERE, captured("p", "1", 10, ANN), captured("p", "2", 50, ANN)],
        ["reserved", "captured 10 (10 captured, 50 held)", "captured 50 (60 captured, 0 held)", "settled 60"],
        [(40, 0), (60, 0)],
    ),
    "a part that is the last": (
        [HERE, captured("p", "1", 10, ANN), captured("p", "2", 20, ANN, final=True)],
        ["reserved", "captured 10 (10 captured, 50 held)", "captured 20 (30 captured, 0 held)", "settled 30"],
        [(70, 0), (30, 0)],
    ),
    "all that is left": (
        [HERE, captured("p", "1", 10, ANN), captured("p", "2", None, ANN)],
        ["reserved", "captured 10 (10 captured, 50 held)", "captured 50 (60 captured, 0 held)", "settled 60"],
        [(40, 0), (60, 0)],
    ),
    "elsewhere, with two legs under way": (
        [ELSEWHERE, captured("p", "1", 10, ANN), captured("p", "2", 50, ANN)],
        ["reserved", "captured 10 (10 captured, 50 held)", "captured 50 (60 captured, 0 held)", "settled 60"],
        [(40, 0), (60, 0)],
    ),
    "elsewhere, the last part": (
        [ELSEWHERE, captured("p", "1", 10, ANN, final=True), captured("p", "2", 1, ANN)],
        ["reserved", "refused already_settled", "captured 10 (10 captured, 0 held)", "settled 10"],
        [(90, 0), (10, 0)],
    ),
    "more than is left while a leg is under way": (
        [ELSEWHERE, captured("p", "1", 50, ANN), captured("p", "2", 11, ANN)],
        ["reserved", "refused exceeds_held_amount", "captured 50 (50 captured, 10 held)"],
        [(50, 10), (50, 0)],
    ),
    "a leg is refused and stays held": (
        [CLOSE_BEN, ELSEWHERE, captured("p", "1", 10, ANN)],
        ["reserved", "refused creditor_closed"],
        [(100, 60), (0, 0)],
    ),
    "the last leg is refused": (
        [CLOSE_BEN, ELSEWHERE, captured("p", "1", 10, ANN, final=True)],
        ["reserved", "refused creditor_closed", "failed creditor_closed"],
        [(100, 0), (0, 0)],
    ),
    "a capture that comes again": (
        [HERE, captured("p", "1", 10, ANN), captured("p", "1", None, ANN), captured("p", "1", 11, ANN)],
        [
            *("reserved", "captured 10 (10 captured, 50 held)"),
            *("refused exists", "refused exists_with_different_amount"),
        ],
        [(90, 50), (10, 0)],
    ),
    "a refused capture is known, too": (
        [CLOSE_BEN, ELSEWHERE, captured("p", "1", 10, ANN), DELIVER, captured("p", "1", 10, ANN)],
        ["reserved", "refused creditor_closed", "refused exists"],
        [(100, 60), (0, 0)],
    ),
    "nothing, and less": (
        [HERE, captured("p", "1", 0, ANN), captured("p", "2", -1, ANN), captured("p", "3", 61, ANN)],
        ["reserved", *["refused amount_must_be_positive"] * 2, "refused exceeds_held_amount"],
        [(100, 60), (0, 0)],
    ),
    "of nobody, and of another": (
        [HERE, captured("q", "1", 1, ANN), captured("p", "1", 1, AMY)],
        ["reserved", *["refused payment_not_found"] * 2],
        [(100, 60), (0, 0)],
    ),
    "of a payment that was not held for it": (
        [decided("p", ANN, AMY, 60), captured("p", "1", 1, ANN)],
        ["reserved", "settled 60", "refused payment_not_authorised"],
        [(40, 0), (60, 0)],
    ),
    "cancelled": (
        [HERE, CANCELLED, captured("p", "1", 1, ANN)],
        ["reserved", "cancelled", "refused cancelled"],
        [(100, 0), (0, 0)],
    ),
    "cancelled after a capture": (
        [HERE, captured("p", "1", 10, ANN), CANCELLED, CANCELLED],
        ["reserved", "captured 10 (10 captured, 50 held)", "settled 10", "refused already_settled"],
        [(90, 0), (10, 0)],
    ),
    "cancelled with a leg under way that is posted": (
        [ELSEWHERE, captured("p", "1", 10, ANN), CANCELLED, CANCELLED, captured("p", "2", 1, ANN)],
        [
            *("reserved", "refused payment_in_flight", "refused cancelled"),
            *("captured 10 (10 captured, 0 held)", "settled 10"),
        ],
        [(90, 0), (10, 0)],
    ),
    "cancelled with a leg under way that is refused": (
        [CLOSE_BEN, ELSEWHERE, captured("p", "1", 10, ANN), CANCELLED],
        ["reserved", "refused creditor_closed", "cancelled"],
        [(100, 0), (0, 0)],
    ),
    "expired": (
        [HERE, after(10, TICK), captured("p", "1", 1, ANN), CANCELLED],
        ["reserved", "expired", "refused payment_not_found", "refused expired", "refused already_failed"],
        [(100, 0), (0, 0)],
    ),
    "not a moment before its end": (
        [HERE, after(9.999, TICK)],
        ["reserved", "refused payment_not_found"],
        [(100, 60), (0, 0)],
    ),
    "captured too late": (
        [HERE, after(10, captured("p", "1", 1, ANN))],
        ["reserved", "expired", "refused expired"],
        [(100, 0), (0, 0)],
    ),
    "expired after a capture": (
        [HERE, captured("p", "1", 10, ANN), after(10, TICK)],
        [
            *("reserved", "captured 10 (10 captured, 50 held)"),
            *("settled 10", "refused payment_not_found"),
        ],
        [(90, 0), (10, 0)],
    ),
    "expired with a leg under way that is refused": (
        [CLOSE_BEN, ELSEWHERE, captured("p", "1", 10, ANN), after(10, TICK), captured("p", "2", 1, ANN)],
        ["reserved", "refused payment_not_found", "refused expired", "refused creditor_closed", "expired"],
        [(100, 0), (0, 0)],
    ),
    "a payment's own time takes what is due": (
        [HERE, after(11, decided("q", ANN, AMY, 1))],
        ["reserved", "expired", "reserved", "settled 1"],
        [(99, 0), (1, 0)],
    ),
    "what ends first was held last": (
        [HERE, held("q", ANN, AMY, 1, 5), after(6, TICK)],
        ["reserved", "reserved", "expired", "refused payment_not_found"],
        [(100, 60), (0, 0)],
    ),
    "extended": (
        [HERE, EXTENDED, after(15, captured("p", "1", 10, ANN)), after(20, TICK)],
        [
            *("reserved", "extended", "captured 10 (10 captured, 50 held)"),
            *("settled 10", "refused payment_not_found"),
        ],
        [(90, 0), (10, 0)],
    ),
    "extended to no later, and too late": (
        [
            HERE,
            about("PaymentExtended", "p", ANN, hold_expires_at=hours(10)),
            after(10, EXTENDED),
        ],
        ["reserved", "refused expiry_not_later", "expired", "refused expired"],
        [(100, 0), (0, 0)],
    ),
    "under review": (
        [REVIEW, captured("p", "1", 1, ANN), EXTENDED, APPROVED, APPROVED, captured("p", "1", None, ANN)],
        [
            *("reserved", "refused payment_under_review", "extended", "refused payment_not_held"),
            *("captured 60 (60 captured, 0 held)", "settled 60"),
        ],
        [(40, 0), (60, 0)],
    ),
    "stopped by a reviewer": (
        [REVIEW, DECLINED, DECLINED, after(10, captured("p", "1", 1, ANN))],
        ["reserved", "rejected declined", "refused already_failed", "refused already_failed"],
        [(100, 0), (0, 0)],
    ),
    "approved for a creditor that is frozen": (
        [REVIEW, ("AccountFrozen", envelope("x", account_id=AMY, side="CREDIT")), APPROVED],
        ["reserved", "failed creditor_frozen"],
        [(100, 0), (0, 0)],
    ),
    "a review ends with its hold": (
        [REVIEW, after(10, TICK), APPROVED],
        ["reserved", "expired", "refused payment_not_found", "refused already_failed"],
        [(100, 0), (0, 0)],
    ),
    "a creditor that is frozen gets nothing, a debtor that is frozen has promised": (
        [
            HERE,
            ("AccountFrozen", envelope("x", account_id=AMY, side="BOTH")),
            captured("p", "1", 10, ANN),
            ("AccountUnfrozen", envelope("y", account_id=AMY, side="BOTH")),
            ("AccountFrozen", envelope("z", account_id=ANN, side="BOTH")),
            captured("p", "2", None, ANN),
        ],
        ["reserved", "refused creditor_frozen", "captured 60 (60 captured, 0 held)", "settled 60"],
        [(40, 0), (60, 0)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_hold_is_captured_and_ends_as_the_rules_say(name: str) -> None:
    steps, answers, books = CASES[name]
    hand = Hand().play([*OPEN, *steps])
    assert hand.answers == answers
    creditor = BEN if ELSEWHERE in steps else AMY
    assert hand.books(ANN, creditor) == books
    assert sum(balance for balance, _ in hand.books(*clearing(hand))) == 0


def clearing(hand: Hand) -> list[str]:
    accounts = [account_id for branch in hand.branches for _, account_id in branch.accounts]
    return [account_id for account_id in accounts if account_id.startswith("$clearing")]


def test_a_payment_takes_a_hundred_captures_and_no_more() -> None:
    hand = Hand().play([opened(ANN, 200), opened(AMY), held("p", ANN, AMY, 150)])
    hand.play([captured("p", f"{number}", 1, ANN) for number in range(101)])
    assert hand.answers[-2:] == ["captured 1 (100 captured, 50 held)", "refused too_many_captures"]
    hand.play([CANCELLED])
    assert hand.answers[-1] == "settled 100"


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


def test_a_leg_that_was_not_asked_for_is_a_dead_letter() -> None:
    parties = {"debtor_account_id": ANN, "creditor_account_id": BEN, "amount_minor": 5, "currency": "EUR"}
    stray = envelope("stray", payment_id="p", leg_id="unknown", **parties)
    hand = Hand().play([*OPEN, ELSEWHERE, ("LegPosted", stray), ("LegRefused", stray | {"code": "overflow"})])
    assert hand.answers == ["reserved", *["dead leg_not_expected"] * 2]
