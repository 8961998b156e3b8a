"""The model of the lifecycle beside the product's rules, on random lives."""

from __future__ import annotations

import random

import pytest

from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.verify.model.lifecycle import LifecycleBranch
from pipeline.verify.model.wire import INVARIANT_ALERTS, OUTCOMES, PAYMENT_ALERTS
from tests.chaos.by_hand import NOW_US, Event, chance, envelope, in_order
from tests.chaos.side_by_side import first_difference

HOUR_US = 3_600_000_000


START_US = NOW_US - 500 * HOUR_US
STEP_US = HOUR_US // 3


def random_log(rng: random.Random, count: int) -> list[Event]:
    """Return events in no order that a ledger would have: the stream must take them all."""
    log = []
    for number in range(count):
        at = START_US + number * STEP_US + rng.randrange(-HOUR_US, HOUR_US)
        if rng.random() < 0.02:
            at = rng.choice((2**63 - 1, -(2**63), NOW_US + HOUR_US))
        fields = envelope(f"e {number}", occurred_at=at, correlation_id=rng.choice(("", "c", "\u00e9")))
        fields |= {"causation_id": rng.choice((None, "x"))}
        fields |= {"payment_id": rng.choice(("p", "\u00e9", *(f"p{rng.randrange(number + 9)}",) * 9))}
        debtor = rng.choice(("alice",) * 9 + ("bob", ""))
        about = {"creditor_account_id": "carol", "amount_minor": rng.choice((5, 2**63 - 1, -7))}
        payment = {"debtor_account_id": debtor, "currency": "EUR", **about}
        proposals = "CommandProposed", "ProposalDecided"
        others = ("PaymentReviewed", "CommandRefused", *("PaymentScheduled",) * 3, *OUTCOMES, *proposals)
        event = rng.choice(("PaymentScreened",) * 9 + others)
        waits_until = rng.choice((None, None, at + rng.randrange(-2, 9) * HOUR_US, 2**63 - 1))
        if event == "PaymentScreened":
            outcome = rng.choice(("APPROVE", "REVIEW", "DECLINE"))
            hold_end = rng.choice((None, None, at // 2 + NOW_US // 2, 2**63 - 1))
            fields |= payment | {"outcome": outcome, "decision_id": "d", "hold_expires_at": hold_end}
            fields["hold"] = number % 4 == 0
        elif event == "PaymentReviewed":
            fields |= {"debtor_account_id": debtor, "approved": rng.random() < 0.5}
            fields |= {"reviewer": "r", "reason": ""}
        elif event == "CommandRefused":
            fields |= {"command": "payment_initiated", "code": "exists", "account_id": "alice"}
            fields |= {"payment_id": None} if rng.random() < 0.3 else {"execute_at": waits_until}
        elif event in proposals:
            command = rng.choice(("payment_reviewed", "payment_reviewed", "payment_reversed"))
            fields |= {"command": command, "account_id": debtor, "proposal_id": "e", "content_hash": "h"}
            if event == "CommandProposed":
                fields["expires_at"] = at
            else:
                fields |= {"outcome": rng.choice(("APPROVED", "REJECTED", "EXPIRED")), "proposed_by": "anna"}
        elif event == "PaymentScheduled":
            fields |= payment | {"execute_at": waits_until or at, "hold_expires_at": None}
            fields["hold"] = number % 4 == 0
        else:
            fields |= payment | {"code": rng.choice(("ok", "too_old", "declined"))}
            if event.endswith("Captured"):
                fields |= {"capture_id": "c", "captured_minor": 5, "held_minor": rng.choice((0, 3))}
            elif event.endswith("Extended"):
                fields |= {"hold_expires_at": START_US + number * STEP_US + rng.randrange(9) * HOUR_US}
            elif event == "outcomes.PaymentCancelled":
                fields |= {"execute_at": waits_until}
        log.append((event, fields))
    return log


@pytest.mark.parametrize("seed", range(4))
def test_model_and_product_say_and_write_the_same_for_random_lives(seed: int) -> None:
    count = 1_500
    times = [START_US + number * STEP_US + HOUR_US // 2 for number in range(count)]
    log = in_order(random_log(chance(seed), count), 0, times)
    assert first_difference(LifecycleBranch(0, 1), Lifecycle(), log) is None
    model = LifecycleBranch(0, 1)
    said = [one.event for record in log for one in model.apply(record)[1] if one.topic == PAYMENT_ALERTS]
    assert said.count("PaymentStuck") > 100 and said.count("PaymentResumed") > 10
    model = LifecycleBranch(0, 1)
    broken = [one.fields for record in log for one in model.apply(record)[1] if one.topic == INVARIANT_ALERTS]
    assert len(broken) > 50 and {one["invariant"] for one in broken} == {"settled_unscreened"}


def test_many_that_are_due_at_once_go_with_the_next_events() -> None:
    about = {"debtor_account_id": "alice", "creditor_account_id": "bob", "amount_minor": 1, "currency": "EUR"}
    rest = {"outcome": "APPROVE", "decision_id": "d", "hold_expires_at": None}
    log: list[Event] = [
        ("PaymentScreened", envelope(f"s{number}", payment_id=f"p{number}", **about, **rest))
        for number in range(250)
    ]
    later = {"occurred_at": NOW_US + 2 * HOUR_US, "command": "account_closed", "account_id": "alice"}
    more = {"payment_id": None, "code": "account_not_empty"}
    log += [("CommandRefused", envelope(f"r{number}", **later, **more)) for number in range(4)]
    times = [NOW_US] * 250 + [NOW_US + 3 * HOUR_US] * 4
    records = in_order(log, 0, times)
    assert first_difference(LifecycleBranch(0, 1), Lifecycle(), records) is None
    model = LifecycleBranch(0, 1)
    said = [sum(one.topic == PAYMENT_ALERTS for one in model.apply(record)[1]) for record in records]
    assert said[250:] == [100, 100, 50, 0]
