"""Linked payments in the fraud stream: screened one by one, decided as one, by rules and model alike."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud.expressions.rule_sets import Rule
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import parse_tenants
from tests.fraud.logs import NOON, busy_log
from tests.fraud.test_stream import BUSY, by_rules
from tests.kernel.side_by_side import assert_alike

SUM = Rule(rule_id="sum", version=1, expression="amount_1min > 20_000 EUR", score=60, reason="{amount_1min}")
QUOTA = "[tenants.acme]\npayments_per_second = 1\nburst = 3\n"


def link(number: int, *amounts: int, at: int = NOON, **changes: Any) -> ev.PaymentsLinked:
    """Return linked payments to as many shops."""
    payments = tuple(
        ev.LinkedPayment(
            f"P{number}-{place}",
            f"shop-{place}",
            amount,
            "EUR",
            "transfer",
            "invoice",
            None,
            None,
            None,
            None,
        )
        for place, amount in enumerate(amounts)
    )
    made = ev.PaymentsLinked(f"event-{number}", "acme", at, "c", None, f"L{number}", "A1", payments)
    return msgspec.structs.replace(made, **changes)


def said(*events: Any, stream: FraudLog | None = None) -> list[Any]:
    """Return what the stream says of the last of these events."""
    rows, out, stream = MemoryRows(), Outbox(), stream or by_rules(BUSY, SUM)
    for event in events:
        out.items.clear()
        stream.apply(event, Arrival(event.occurred_at, 0, 1), rows, out)
    return [event for _, _, event in out.items]


def test_the_second_payment_of_a_link_sees_the_first() -> None:
    decided, first, second, *_ = said(link(1, 15_000_00, 5_000_01))
    assert isinstance(decided, ev.PaymentsLinkDecided) and decided.link_id == "L1"
    fired = [[reason.rule for reason in one.reasons] for one in decided.payments]
    assert fired == [[], ["sum@1"]]
    (alone, *_) = said(link(2, 5_000_01))
    assert alone.payments[0].reasons == ()
    assert first.link_id == second.link_id == "L1"
    assert first.decision_id == second.decision_id == decided.event_id


def test_one_that_is_not_approved_spoils_all_and_each_has_its_own_alert() -> None:
    burst = [link(number, *[1_00] * 5) for number in range(2)]
    *_, screened, alert = said(*burst, link(9, 1_00))
    assert isinstance(screened, ev.PaymentScreened) and isinstance(alert, ev.FraudAlertRaised)
    decided, *rest = said(*burst, link(9, 1_00, 2_00))
    outcomes = [one.outcome for one in decided.payments]
    assert set(outcomes) != {"APPROVE"}
    worst = "DECLINE" if "DECLINE" in outcomes else "REVIEW"
    assert [one.outcome for one in rest if isinstance(one, ev.PaymentScreened)] == [worst, worst]
    alerts = [one for one in rest if isinstance(one, ev.FraudAlertRaised)]
    assert [one.payment_id for one in alerts] == ["P9-0", "P9-1"]
    assert len({one.event_id for one in alerts}) == 2 and len({one.alert_id for one in alerts}) == 1


def test_a_link_that_comes_again_is_decided_as_before_and_counted_once() -> None:
    first, again = said(link(1, 1_00, 2_00)), said(link(1, 1_00, 2_00), link(1, 1_00, 2_00))
    assert first == again


def test_what_is_no_link_is_answered_and_leaves_no_trace() -> None:
    twice = link(1, 1_00).payments * 2
    for wrong in ((), twice, link(1, *[1] * 101).payments):
        rows, out = MemoryRows(), Outbox()
        FraudLog().apply(link(1, payments=wrong), Arrival(NOON, 0, 1), rows, out)
        ((topic, key, refused),) = out.items
        assert (topic, key) == ("payment-events", "acme/A1") and not rows.data
        assert (refused.command, refused.code, refused.link_id) == ("payments_linked", "invalid_link", "L1")


def test_a_bad_id_within_a_link_is_a_dead_letter() -> None:
    (payment,) = link(1, 1_00).payments
    wrong = msgspec.structs.replace(payment, payment_id="a/b")
    with pytest.raises(Reject, match="invalid_id"):
        said(link(1, payments=(wrong,)))


def test_a_link_takes_a_token_for_each_payment_or_none() -> None:
    stream = FraudLog(Terms(gate=Gate(parse_tenants(QUOTA))))
    (refused,) = said(link(1, 1_00, 1_00), link(2, 1_00, 1_00), stream=stream)
    assert (refused.code, refused.link_id) == ("quota_exceeded", "L2")
    decided, *_ = said(link(1, 1_00, 1_00), link(2, 1_00, 1_00), link(3, 1_00), stream=stream)
    assert isinstance(decided, ev.PaymentsLinkDecided)


@pytest.mark.parametrize("seed", range(3))
def test_batches_with_links_say_what_rows_say(seed: int) -> None:
    stream, chance = FraudLog(), Random(seed)
    log = busy_log(chance, 120, scheduled=0.1, links=0.2)
    assert_alike(stream, FraudLogBatch(stream), log, sorted(chance.randrange(120) for _ in range(4)))
