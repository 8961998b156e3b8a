"""Linked payments in the fraud stream: screened one by one, decided as one, by rules and model alike."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from pipeline.domain.fraud import links as fraud_links
from pipeline.domain.fraud.batch import FraudBatch
from pipeline.domain.fraud.screening import Screening
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.verify.model.fraud import FraudBranch
from pipeline.verify.model.record import Record
from pipeline.verify.model.tenants import Tenants
from tests.chaos.side_by_side import NAMES, builtins, first_difference
from tests.fraud.logs import NOON, busy_log
from tests.kernel.side_by_side import Log, assert_alike

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


def said(*events: Any, stream: FraudStream | None = None) -> list[Any]:
    """Return what the stream says of the last of these events."""
    rows, out, stream = MemoryRows(), Outbox(), stream or FraudStream()
    for event in events:
        out.items.clear()
        stream.apply(event, Arrival(event.occurred_at, 0, 1), rows, out)
    return [event for _, _, event in out.items]


def test_the_second_payment_of_a_link_sees_the_first() -> None:
    decided, first, second = said(link(1, 15_000_00, 5_000_01))
    assert isinstance(decided, ev.PaymentsLinkDecided) and decided.link_id == "L1"
    fired = [[reason.rule for reason in one.reasons] for one in decided.payments]
    assert "amount_per_minute" in fired[1] and "amount_per_minute" not in fired[0]
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
    assert [one.payment_id for one in alerts] == ["P9-0", "P9-1"] and len(
        {one.alert_id for one in alerts}
    ) == 2


def test_a_link_that_comes_again_is_decided_as_before_and_counted_once() -> None:
    first, again = said(link(1, 1_00, 2_00)), said(link(1, 1_00, 2_00), link(1, 1_00, 2_00))
    assert first == again


def test_what_is_no_link_is_answered_and_leaves_no_trace() -> None:
    twice = link(1, 1_00).payments * 2
    for wrong in ((), twice, link(1, *[1] * 101).payments):
        rows, out = MemoryRows(), Outbox()
        FraudStream().apply(link(1, payments=wrong), Arrival(NOON, 0, 1), rows, out)
        ((topic, key, refused),) = out.items
        assert (topic, key) == ("payment-events", "acme/A1") and not rows.data
        assert (refused.command, refused.code, refused.link_id) == ("payments_linked", "invalid_link", "L1")


def test_a_bad_id_within_a_link_is_a_dead_letter() -> None:
    (payment,) = link(1, 1_00).payments
    wrong = msgspec.structs.replace(payment, payment_id="a/b")
    with pytest.raises(Reject, match="invalid_id"):
        said(link(1, payments=(wrong,)))


def test_a_link_takes_a_token_for_each_payment_or_none() -> None:
    stream = FraudStream(gate=Gate(parse_tenants(QUOTA)))
    (refused,) = said(link(1, 1_00, 1_00), link(2, 1_00, 1_00), stream=stream)
    assert (refused.code, refused.link_id) == ("quota_exceeded", "L2")
    decided, *_ = said(link(1, 1_00, 1_00), link(2, 1_00, 1_00), link(3, 1_00), stream=stream)
    assert isinstance(decided, ev.PaymentsLinkDecided)


def recorded(log: Log) -> list[Record]:
    """Return a log as the model reads it; what has a bad id is left out."""
    return [
        Record(
            "fraud-commands", 0, offset, at // 1000, f"acme/{event.debtor_account_id}".encode(), b"", {},
            NAMES[type(event)], builtins(event), None,
        )
        for offset, (event, at) in enumerate(log)
    ]  # fmt: skip


def difference(seed: int, tenants: str = "") -> str | None:
    """Return the first difference of rules and model over a log with many links."""
    log = busy_log(Random(seed), 120, scheduled=0.3, links=0.5)
    log = [(event, at) for event, at in log if type(event) in (ev.PaymentsLinked, ev.PaymentInitiated)]
    model = FraudBranch(0, 1, tenants=Tenants(tenants))
    return first_difference(model, FraudStream(gate=Gate(parse_tenants(tenants))), recorded(log))


@pytest.mark.parametrize("tenants", ["", QUOTA])
@pytest.mark.parametrize("seed", range(4))
def test_rules_and_model_agree_on_links(seed: int, tenants: str) -> None:
    assert difference(seed, tenants) is None


@pytest.mark.parametrize("seed", range(3))
def test_batches_with_links_say_what_rows_say(seed: int) -> None:
    stream, chance = FraudStream(), Random(seed)
    log = busy_log(chance, 120, scheduled=0.1, links=0.2)
    assert_alike(stream, FraudBatch(stream), log, sorted(chance.randrange(120) for _ in range(4)))


def test_a_stream_that_does_not_see_the_second_payment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: only the first payment of a link is screened, all others are let through."""
    decide = Screening.decide

    def unseen(self: Screening, event: Any, at_us: int, *keys: bytes) -> Any:
        if event.payment_id.endswith("-0"):
            return decide(self, event, at_us, *keys)
        return FraudStream().unscored, False

    monkeypatch.setattr(fraud_links.Screening, "decide", unseen)
    assert any(difference(seed) is not None for seed in range(2))
