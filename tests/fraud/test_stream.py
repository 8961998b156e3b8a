"""The fraud stream: decisions and alerts, repeats, reviews, late payments and bad ids."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from pipeline.domain.fraud.account_rows import account_key, rates_key
from pipeline.domain.fraud.alert_rows import open_key
from pipeline.domain.fraud.alerts import alert_key, read_alert
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.expressions.rule_sets import Rule, RuleSet
from pipeline.domain.fraud.features import layout
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.scheduled_rows import CLOCK_KEY, waiting_key
from pipeline.domain.fraud.state_rows import PAYER, device_key, pair_key, payer_key, population_key, states_of
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel.events import (
    AccountClosed,
    BranchTicked,
    FraudAlertRaised,
    PaymentCancelled,
    PaymentDecided,
    PaymentInitiated,
    PaymentReviewed,
    PaymentScreened,
)
from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import parse_tenants

NOON_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
DAY_S = 86400
BUSY = Rule(
    rule_id="payments_per_minute",
    version=1,
    expression="payments_1min > 10",
    score=60,
    reason="{payments_1min}",
)


def by_rules(*rules: Rule, **terms: Any) -> FraudLog:
    """Return a stream that decides by some rules alone."""
    only = Deciders(RuleSet(set_id="default", version=1, effective_from_us=0, rules=rules))
    return FraudLog(Terms(lambda _: only, **terms))


class Known(NamedTuple):
    """What is known of a debtor."""

    attempts: int
    approved: int
    newest_s: int


class Desk:
    """A stream with its rows, fed payment by payment."""

    def __init__(self, stream: FraudLog | None = None) -> None:
        self.stream = stream or by_rules(BUSY)
        self.rows = MemoryRows()
        self.lives: list[Any] = []
        """What the last event has said to payment-events; None where it was passed on."""
        self.number = 0

    def apply(self, event: Any, recorded_at: int | None = None) -> list[tuple[str, str, Any]]:
        """Apply an event, recorded when it occurred unless told; return what is not for the lives."""
        out = Outbox()
        at = event.occurred_at if recorded_at is None else recorded_at
        self.stream.apply(event, Arrival(at, 0, 4), self.rows, out)
        self.lives = [said for topic, _, said in out.items if topic == "payment-events"]
        return [item for item in out.items if item[0] != "payment-events"]

    def payment(self, at_s: int, amount_minor: int, **changes: Any) -> PaymentInitiated:
        """Return a new payment of the account A1 to its usual shop."""
        self.number += 1
        values: dict[str, Any] = {
            "event_id": f"event-{self.number}",
            "tenant_id": "acme",
            "occurred_at": at_s * 1_000_000,
            "correlation_id": "order-1",
            "causation_id": None,
            "payment_id": f"payment-{self.number}",
            "debtor_account_id": "A1",
            "creditor_account_id": "shop",
            "amount_minor": amount_minor,
            "currency": "EUR",
            "payment_type": "payment",
            "reference": "thanks",
            "channel": "app",
            "device_id": "phone",
            "counterparty_country": "FR",
            "merchant_category": None,
            "creditor_reference": None,
            "remittance_text": "thanks",
        }
        return PaymentInitiated(**(values | changes))

    def pay(self, at_s: int, amount_minor: int, **changes: Any) -> PaymentDecided:
        """Apply a new payment and return its decision."""
        decided = self.apply(self.payment(at_s, amount_minor, **changes))[0][2]
        assert isinstance(decided, PaymentDecided)
        return decided

    def rows_but_clock(self) -> dict[bytes, bytes]:
        """Return the rows without the partition's time, which every event may move."""
        return {key: row for key, row in self.rows.data.items() if key != CLOCK_KEY}

    def known(self, tenant: str = "acme", account: str = "A1") -> Known:
        """Return what is known of a debtor."""
        row = self.rows.get(payer_key(tenant, account))
        if row is None:
            return Known(0, 0, 0)
        m = states_of(PAYER, [row])[0].tolist()
        ring = layout.MONTH
        attempts = sum(m[ring.at + ring.slots : ring.at + 2 * ring.slots])
        return Known(attempts, m[layout.P_APPROVED], m[layout.P_LAST_S])


def fired(decided: PaymentDecided) -> list[str]:
    """Return the rules that a decision names, without their versions."""
    return [reason.rule.partition("@")[0] for reason in decided.reasons]


def test_a_decision_carries_the_payment_and_an_approval_raises_no_alert() -> None:
    desk = Desk()
    payment = desk.payment(NOON_S, 10_00)
    ((topic, key, decided),) = desk.apply(payment)
    assert (topic, key) == ("ledger-commands", "acme/A1")
    assert decided.event_id == derived_id(cause_name(payment), "payment_decided")
    assert (decided.causation_id, decided.correlation_id) == ("event-1", "order-1")
    not_carried = {
        *("event_id", "causation_id", "creditor_reference", "remittance_text"),
        *("compliance_score", "fees_charged_minor", "exchange_rate_e8", "settlement_date"),
        "regulatory_reporting_required",
    }
    for name in PaymentInitiated.__struct_fields__:
        if name not in not_carried:
            assert getattr(decided, name) == getattr(payment, name)
    assert (decided.outcome, decided.score, decided.reasons) == ("APPROVE", 0, ())
    assert decided.rules_version == "default@1"


def test_the_life_of_every_payment_begins_with_its_screening() -> None:
    desk = Desk()
    held = burst(desk)
    repeated = msgspec.structs.replace(held, event_id="again", amount_minor=7)
    refused = msgspec.structs.replace(desk.payment(NOON_S, 10_00), amount_minor=0)
    for payment, outcome in ((held, "REVIEW"), (repeated, "REVIEW"), (refused, "APPROVE")):
        decided = desk.apply(payment)[0][2]
        (screened,) = desk.lives
        assert isinstance(screened, PaymentScreened)
        assert (screened.decision_id, screened.causation_id) == (decided.event_id, payment.event_id)
        assert (screened.outcome, screened.amount_minor) == (outcome, payment.amount_minor)
        for name in PaymentScreened.__struct_fields__:
            if name not in ("event_id", "decision_id", "link_id"):
                assert getattr(screened, name) == getattr(decided, name)
        assert screened.link_id is None


def burst(desk: Desk) -> PaymentInitiated:
    """Ten payments, and the eleventh, which is to be held."""
    for _ in range(10):
        desk.pay(NOON_S, 10_00)
    return desk.payment(NOON_S, 10_00)


def test_a_held_payment_raises_one_alert_with_its_reasons() -> None:
    desk = Desk()
    payment = burst(desk)
    (_, _, decided), (topic, key, alert) = desk.apply(payment)
    assert (topic, key) == ("fraud-alerts", "acme/A1")
    assert isinstance(alert, FraudAlertRaised)
    assert alert.alert_id == alert.event_id == derived_id(cause_name(payment), "fraud_alert_raised")
    assert (alert.outcome, alert.score, alert.reasons) == ("REVIEW", 60, decided.reasons)
    assert alert.rules_version == decided.rules_version


def test_an_alert_leaves_a_row_under_its_debtor_and_an_approval_none() -> None:
    desk = Desk()
    held = burst(desk)
    assert not list(desk.rows.scan(b"a\0"))
    desk.apply(held)
    ((key, row),) = desk.rows.scan(b"a\0")
    assert key == alert_key("acme", "A1", held.payment_id)
    alert = read_alert(row)
    assert (alert.at_us, alert.creditor_account_id) == (held.occurred_at, "shop")
    assert (alert.amount_minor, alert.currency) == (10_00, "EUR")
    assert (alert.verdict.outcome, alert.verdict.score) == ("REVIEW", 60)
    assert [rule for rule, _ in alert.verdict.reasons] == ["payments_per_minute@1"]


def test_an_alert_row_of_a_later_layout_is_not_guessed_at() -> None:
    with pytest.raises(UnknownLayout, match="layout 255"):
        read_alert(b"\xff\x90")


def test_a_retry_gets_the_stored_decision_without_a_trace() -> None:
    desk = Desk()
    first = burst(desk)
    (_, _, decided), _ = desk.apply(first)
    rows = desk.rows_but_clock()
    retry = msgspec.structs.replace(first, event_id="again", occurred_at=first.occurred_at + 7_000_000)
    ((_, _, repeated),) = desk.apply(retry)
    assert desk.rows_but_clock() == rows
    assert repeated.event_id == derived_id(cause_name(retry), "payment_decided")
    assert repeated.occurred_at == retry.occurred_at
    assert (repeated.outcome, repeated.score, repeated.reasons) == (
        decided.outcome,
        decided.score,
        decided.reasons,
    )


def test_an_approval_does_not_pass_on_to_other_content_under_the_same_id() -> None:
    desk = Desk()
    first = desk.payment(NOON_S, 10_00)
    desk.apply(first)
    rows = dict(desk.rows.data)
    other = msgspec.structs.replace(first, event_id="again", amount_minor=900_000_00)
    (_, _, repeated), (topic, _, alert) = desk.apply(other)
    assert (repeated.amount_minor, repeated.outcome, repeated.score) == (900_000_00, "REVIEW", 50)
    assert fired(repeated) == fired(alert) == ["payment_id_reused"]
    assert topic == "fraud-alerts"
    made = {alert_key("acme", "A1", first.payment_id), b"h\0acme", open_key("acme", "A1")}
    assert desk.rows.data.keys() - rows.keys() == made
    assert [topic for topic, _, _ in desk.apply(other)] == ["ledger-commands"], "one alert is enough"


def test_another_debtor_under_an_id_that_was_held_has_an_alert_of_its_own() -> None:
    desk = Desk()
    held = burst(desk)
    desk.apply(held)
    other = msgspec.structs.replace(held, event_id="other", debtor_account_id="A9")
    (_, _, decided), (topic, key, alert) = desk.apply(other)
    assert (decided.outcome, topic, key) == ("REVIEW", "fraud-alerts", "acme/A9")
    assert alert.account_id == "A9"
    assert [topic for topic, _, _ in desk.apply(other)] == ["ledger-commands"]


def test_an_id_is_scored_anew_when_the_ledger_has_forgotten_it() -> None:
    desk = Desk()
    first = desk.payment(NOON_S, 10_00)
    desk.apply(first)
    for days, attempts in ((90, 1), (91, 2)):
        moved = first.occurred_at + days * DAY_S * 1_000_000
        desk.apply(msgspec.structs.replace(first, occurred_at=moved))
        assert desk.known().attempts == attempts


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"creditor_account_id": "A1"},
        {"creditor_account_id": "$clearing:EUR:0"},
        {"debtor_account_id": "$opening:EUR:0"},
        {"currency": "ZZZ"},
    ],
)
def test_what_the_ledger_refuses_is_passed_on_without_a_trace(changes: dict[str, Any]) -> None:
    desk = Desk()
    payment = msgspec.structs.replace(desk.payment(NOON_S, 10_00), **changes)
    ((topic, _, decided),) = desk.apply(payment)
    assert (topic, decided.outcome) == ("ledger-commands", "APPROVE")
    assert desk.rows_but_clock() == {}


@pytest.mark.parametrize("field", ["tenant_id", "payment_id", "debtor_account_id", "creditor_account_id"])
@pytest.mark.parametrize("bad", ["", "a/b", "a\0b"])
def test_an_id_that_no_key_can_carry_is_a_dead_letter(field: str, bad: str) -> None:
    desk = Desk()
    with pytest.raises(Reject, match="invalid_id"):
        desk.apply(msgspec.structs.replace(desk.payment(NOON_S, 10_00), **{field: bad}))
    assert desk.rows.data == {}


@pytest.mark.parametrize("bad", ["", "RF19539007547034", "rf18539007547034", "RF18 5390 0754 7034", "INV-7"])
def test_a_creditor_reference_that_is_none_is_a_dead_letter(bad: str) -> None:
    desk = Desk()
    with pytest.raises(Reject) as refused:
        desk.apply(desk.payment(NOON_S, 10_00, creditor_reference=bad))
    assert refused.value.args == ("invalid_creditor_reference", "creditor_reference")
    assert desk.rows.data == {}


@pytest.mark.parametrize("end, tolerance", [(None, 0), (NOON_S * 10**6, -1), (NOON_S * 10**6, 10_001)])
def test_a_tolerance_that_no_hold_can_have_is_a_dead_letter(end: int | None, tolerance: int) -> None:
    desk = Desk()
    about = {"hold_expires_at": end, "capture_tolerance_bp": tolerance}
    with pytest.raises(Reject, match="invalid_tolerance"):
        desk.apply(desk.payment(NOON_S, 10_00, **about))
    assert desk.rows.data == {}


def test_a_right_creditor_reference_changes_no_decision() -> None:
    desk, other = Desk(), Desk()
    payment = desk.payment(NOON_S, 10_00, creditor_reference="RF18539007547034", remittance_text=None)
    assert desk.apply(payment) == other.apply(other.payment(NOON_S, 10_00))


def reviewed(payment_id: str, approved: bool = True, debtor: str = "A1") -> PaymentReviewed:
    return PaymentReviewed(
        "review", "acme", NOON_S * 1_000_000, "c", None, payment_id, debtor, approved, "me", ""
    )


def test_reviews_and_cancellations_pass_through() -> None:
    desk = Desk()
    cancelled = PaymentCancelled("cancel", "acme", NOON_S * 1_000_000, "c", None, "P1", "A1", "")
    for event, lives in ((reviewed("P1"), [None]), (reviewed("P1", approved=False), [None]), (cancelled, [])):
        assert desk.apply(event) == [("ledger-commands", "", None)]
        assert desk.lives == lives
    assert desk.rows_but_clock() == {}


def test_an_approval_by_a_reviewer_teaches_the_profile_once() -> None:
    desk = Desk()
    held = burst(desk)
    desk.apply(held)
    assert desk.known().approved == 10
    desk.apply(reviewed(held.payment_id, debtor="A2"))
    assert desk.known().approved == 10
    for _ in range(2):
        desk.apply(reviewed(held.payment_id))
        assert desk.known().approved == 11


@pytest.mark.parametrize(("least", "learned"), [("EUR = 1", 0), ("EUR = 1000000000", 1), ("USD = 1", 0)])
def test_a_review_that_may_need_two_people_teaches_nothing(least: str, learned: int) -> None:
    """A review has no currency, and the ledger's answer does not come back."""
    tenants = parse_tenants(f"[tenants.acme.four_eyes]\nreviews = {{ {least} }}")
    desk = Desk(by_rules(BUSY, gate=Gate(tenants)))
    held = burst(desk)
    desk.apply(held)
    desk.apply(reviewed(held.payment_id))
    assert desk.known().approved == 10 + learned


def test_tenants_do_not_see_each_other() -> None:
    desk = Desk()
    desk.apply(burst(desk))
    assert desk.pay(NOON_S, 10_00, tenant_id="other", payment_id="payment-1").reasons == ()
    assert (desk.known("acme").attempts, desk.known("other").attempts) == (11, 1)


def test_a_clock_that_is_ahead_does_not_push_the_windows() -> None:
    desk = Desk()
    ahead = desk.payment(NOON_S + 400 * DAY_S, 10_00)
    ((_, _, decided),) = desk.apply(ahead, recorded_at=NOON_S * 1_000_000)
    assert decided.occurred_at == ahead.occurred_at
    assert desk.known().newest_s == NOON_S
    assert desk.pay(NOON_S, 10_00).reasons == ()


def test_another_event_is_a_dead_letter_and_the_keys_are_the_rows_read() -> None:
    desk = Desk()
    with pytest.raises(Reject, match="unexpected_event"):
        desk.apply(AccountClosed("e", "acme", 0, "c", None, "A1", "fraud", False))
    payment, stream = desk.payment(NOON_S, 10_00), desk.stream
    rows, out = MemoryRows(), Outbox()
    stream.apply(payment, Arrival(payment.occurred_at, 0, 4), rows, out)
    states = {
        *(payer_key("acme", "A1"), pair_key("acme", "A1", "shop"), device_key("acme", "phone")),
        *(population_key("acme", "EUR"), b"t\0acme\0p", b"t\0acme\0k", b"t\0acme\0v"),
    }
    decision = {decision_key("acme", "payment-1"), b"e\0acme", CLOCK_KEY}
    assert set(rows.data) == decision | states
    waits, account = waiting_key("acme", "payment-1"), account_key("acme", "A1")
    assert set(stream.keys(payment)) == decision | {waits, account, rates_key("acme", "EUR")}
    first = [CLOCK_KEY, waiting_key("acme", "P1")]
    assert list(stream.keys(reviewed("P1", approved=False)))[:2] == first


def test_a_tick_goes_on_to_the_ledger_unless_it_is_ahead_of_its_record() -> None:
    tick = BranchTicked("tick", "", NOON_S * 1_000_000, "tick", None, "$clock:0", 0)
    desk = Desk()

    assert desk.apply(tick) == [("ledger-commands", "", None)]
    assert desk.apply(tick, tick.occurred_at + 1) == [("ledger-commands", "", None)]
    assert desk.apply(tick, tick.occurred_at - 1) == []
    assert desk.rows.data.keys() == set(desk.stream.keys(tick)), "the clock, and nothing else"
