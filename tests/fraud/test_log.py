"""What the fraud stream does with each event of its log, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.fraud import alerts, state_rows
from pipeline.domain.fraud.account_rows import rates_key, read_days
from pipeline.domain.fraud.decisions import decision_key, read_decision
from pipeline.domain.fraud.expressions.canonical import head_bytes, name_of
from pipeline.domain.fraud.expressions.rule_sets import Rule, RuleSet
from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.state_views import DEBTORS, PAYEES
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.amounts import with_amounts
from pipeline.domain.kernel.retention import Windows
from tests.fraud.log_traffic import credit, debit, labelled, opened, quoted, received
from tests.fraud.logs import DAY, HOUR, NOON, SECOND
from tests.kernel.side_by_side import Replay


def payment(number: int, amount: int = 20_00, now: int = NOON, **more: Any) -> ev.PaymentInitiated:
    """Return a payment of alice to bob."""
    usual = ev.PaymentInitiated(
        *(f"e{number}", "acme", now, "c", None, f"P{number}", "alice", "bob", amount, "EUR"),
        *("transfer", "invoice", None, None, None, None),
    )
    return structs.replace(usual, **more)


def review(of: ev.PaymentInitiated, approved: bool, now: int) -> ev.PaymentReviewed:
    """Return a review of a payment."""
    names = of.payment_id, of.debtor_account_id
    return ev.PaymentReviewed(f"r-{of.event_id}-{now}", "acme", now, "c", None, *names, approved, "me", "")


def published(*rules: Rule, set_id: str = "own", from_us: int = NOON - DAY) -> ev.FraudRulesPublished:
    """Return a set of rules of all tenants."""
    of = RuleSet(set_id=set_id, version=1, effective_from_us=from_us, rules=rules)
    head = head_bytes(of)
    return ev.FraudRulesPublished(
        *("rules-1", "*", from_us, "c", None, set_id, 1, None, from_us, name_of(of), "1", head.decode(), 0)
    )


HOLDS = Rule(
    rule_id="large", version=1, expression="amount >= 1_000 EUR", outcome="REVIEW", reason="{amount}"
)
NO_RULES = published(set_id="default")


class Story:
    """Events of one partition, applied one by one."""

    def __init__(self, *rules: Rule, terms: Terms | None = None) -> None:
        self.replay = Replay(FraudLog(terms))
        self.tell(structs.replace(NO_RULES, event_id="none"), published(*rules))

    def tell(self, *events: Any, at_us: int | None = None) -> list[Any]:
        """Apply events, each recorded when it happens; return what is said of them, in all topics."""
        before = {topic: len(said) for topic, said in self.replay.said.items()}
        rejected = len(self.replay.rejected)
        self.replay.by_rows([(event, event.occurred_at if at_us is None else at_us) for event in events])
        assert len(self.replay.rejected) == rejected, self.replay.rejected
        return [
            event
            for topic, said in self.replay.said.items()
            for _, event in said[before.get(topic, 0) :]
            if event not in events
        ]

    def of(self, kind: type, *events: Any) -> list[Any]:
        """Apply events; return what is said of one class."""
        return [said for said in self.tell(*events) if type(said) is kind]

    def payer(self, account: str = "alice") -> list[int]:
        """Return the state of what an account paid."""
        row = self.replay.rows.get(state_rows.payer_key("acme", account))
        return [] if row is None else state_rows.states_of(state_rows.PAYER, [row])[0].tolist()

    def receiver(self, account: str = "bob") -> list[int]:
        """Return the state of what an account received."""
        row = self.replay.rows.get(state_rows.receiver_key("acme", account))
        return [] if row is None else state_rows.states_of(state_rows.RECEIVER, [row])[0].tolist()


def test_an_approved_payment_is_learned_and_a_held_one_is_not() -> None:
    story = Story(HOLDS)
    (decided,) = story.of(ev.PaymentDecided, payment(1))
    assert (decided.outcome, decided.rules_version) == ("APPROVE", "default@1, own@1")
    (held,) = story.of(ev.PaymentDecided, payment(2, 2_000_00))
    assert (held.outcome, held.reasons[0].rule) == ("REVIEW", "large@1")
    assert (story.payer()[at.P_APPROVED], story.payer()[at.P_LARGEST]) == (1, 20_00)


def test_a_review_that_approves_teaches_once() -> None:
    story, held = Story(HOLDS), payment(1, 2_000_00)
    story.tell(held)
    assert story.of(ev.PayeeFraudConfirmed, review(held, True, NOON + HOUR)) == []
    assert (story.payer()[at.P_APPROVED], story.payer()[at.P_LARGEST]) == (1, 2_000_00)
    story.tell(review(held, True, NOON + 2 * HOUR))
    assert story.payer()[at.P_APPROVED] == 1


def test_a_review_of_a_cancelled_payment_teaches_nothing() -> None:
    story, held = Story(HOLDS), payment(1, 2_000_00)
    cancelled = ev.PaymentCancelled("x", "acme", NOON + 1, "c", None, "P1", "alice", "")
    story.tell(held, cancelled, review(held, True, NOON + HOUR))
    assert story.payer()[at.P_APPROVED] == 0
    story.tell(review(held, False, NOON + 2 * HOUR))
    assert story.payer()[at.P_FRAUDS] == 0


def test_a_review_that_rejects_is_a_label() -> None:
    story, held = Story(HOLDS), payment(1, 2_000_00)
    story.tell(held)
    (told,) = story.of(ev.PayeeFraudConfirmed, review(held, False, NOON + HOUR))
    assert (told.creditor_account_id, told.label, told.paid_at) == ("bob", "FRAUD", NOON)
    assert (story.payer()[at.P_FRAUDS], story.payer()[at.P_APPROVED]) == (1, 0)


def test_a_fraud_that_was_approved_leaves_the_habits_and_is_told_once() -> None:
    story, fraud = Story(HOLDS), payment(2, 900_00, NOON + HOUR)
    story.tell(payment(1), fraud)
    known = NOON + 9 * DAY
    (told,) = story.of(ev.PayeeFraudConfirmed, labelled(fraud, "FRAUD", known))
    assert (told.label, told.paid_at, told.labelled_at) == ("FRAUD", fraud.occurred_at, known)
    assert story.of(ev.PayeeFraudConfirmed, labelled(fraud, "FRAUD", known + DAY)) == []
    assert (story.payer()[at.P_APPROVED], story.payer()[at.P_LARGEST]) == (1, 20_00)
    assert story.payer()[at.P_FRAUDS] == 1


def test_the_newest_label_counts_and_takes_back_what_was_told() -> None:
    story, fraud = Story(HOLDS), payment(1)
    story.tell(fraud)
    known = NOON + 9 * DAY
    story.tell(labelled(fraud, "FRAUD", known))
    assert story.tell(labelled(fraud, "GENUINE", known + HOUR, known - 1)) == []
    (told,) = story.tell(labelled(fraud, "GENUINE", known + DAY))
    assert (told.label, told.labelled_at) == ("GENUINE", known)
    assert (story.payer()[at.P_APPROVED], story.payer()[at.P_FRAUDS]) == (1, 0)
    assert story.tell(labelled(fraud, "FRAUD", known + 2 * DAY, known + HOUR)) == []


@pytest.mark.parametrize(
    "wrong", [{"payment_id": "P9"}, {"debtor_account_id": "mallory"}, {"tenant_id": "other"}]
)
def test_a_label_of_what_is_not_known_is_a_dead_letter(wrong: dict[str, str]) -> None:
    story = Story()
    story.tell(payment(1))
    rows = dict(story.replay.rows.data)
    label = structs.replace(labelled(payment(1), "FRAUD", NOON + DAY), **wrong)
    story.replay.by_rows([(label, NOON + DAY)])
    assert story.replay.rejected == ["unknown_payment"]
    assert story.replay.rows.data == rows


def test_labels_go_to_decisions_of_120_days() -> None:
    for days, rejected in ((120, []), (121, ["unknown_payment"])):
        story = Story()
        later = NOON + days * DAY
        story.tell(payment(1), payment(2, now=later))
        story.replay.by_rows([(labelled(payment(1), "FRAUD", later), later)])
        assert story.replay.rejected == rejected


def test_ids_are_repeats_as_long_as_they_are_known() -> None:
    story = Story(terms=Terms(windows=Windows(duplicates_days=30)))
    story.tell(payment(1))
    story.tell(payment(1, now=NOON + 30 * DAY))
    assert story.payer()[at.P_APPROVED] == 1
    story.tell(payment(2, now=NOON + 31 * DAY), payment(1, now=NOON + 31 * DAY))
    assert story.payer()[at.P_APPROVED] == 3


def test_other_content_under_an_approved_id_is_held() -> None:
    story = Story()
    story.tell(payment(1))
    (decided,) = story.of(ev.PaymentDecided, payment(1, 30_00))
    assert (decided.outcome, decided.reasons[-1].rule) == ("REVIEW", "payment_id_reused")


def test_a_debit_tells_the_receiver_where_the_money_was() -> None:
    story = Story()
    origins = [(id63("zoe"), 2)]
    story.tell(received("alice", 1, "carol", 50_00, NOON - HOUR, origins))
    paid = payment(1, 40_00)
    story.tell(paid)
    (told,) = story.tell(debit(paid, NOON + SECOND))
    assert type(told) is ev.FundsReceived
    assert (told.account_id, told.payer_account_id, told.amount_minor) == ("bob", "alice", 40_00)
    assert told.received_at == NOON
    assert set(told.origins) == {ev.MoneyOrigin(id63("carol"), 2), ev.MoneyOrigin(id63("zoe"), 3)}
    assert story.tell(structs.replace(debit(paid, NOON + SECOND), account_id="bob")) == []


def test_a_receipt_makes_a_card_that_every_partition_keeps() -> None:
    story = Story()
    (card,) = story.tell(received("bob", 1, "alice", 40_00, NOON))
    assert (type(card), card.payee_account_id, card.as_of) == (ev.PayeeRiskChanged, "bob", NOON)
    assert story.tell(received("bob", 2, "alice", 40_00, NOON + SECOND)) == []
    story.tell(card)
    assert story.replay.rows.get(state_rows.card_key("acme", "bob")) is not None


def test_a_card_that_is_none_is_a_dead_letter() -> None:
    story = Story()
    (card,) = story.tell(received("bob", 1, "alice", 40_00, NOON))
    for wrong in ("", "!", card.card[:-4], "A" * 5_000, "AQ=="):
        story.replay.by_rows([(structs.replace(card, card=wrong), NOON)])
    assert story.replay.rejected == ["invalid_card"] * 5


def test_a_label_raises_the_payees_risk_and_its_withdrawal_lowers_it() -> None:
    story, fraud = Story(), payment(1)
    story.tell(fraud, received("bob", 1, "alice", 20_00, NOON))
    (told,) = story.tell(labelled(fraud, "FRAUD", NOON + DAY))
    (card,) = story.tell(told)
    assert (type(card), card.as_of) == (ev.PayeeRiskChanged, NOON + DAY)
    assert story.receiver()[at.R_FRAUDS] == 1
    (told,) = story.tell(labelled(fraud, "GENUINE", NOON + 2 * DAY))
    (card,) = story.tell(told)
    assert card.as_of == NOON + 2 * DAY
    assert story.receiver()[at.R_FRAUDS] == 0


def test_what_a_journal_credits_is_received_and_its_debit_is_nothing() -> None:
    story = Story()
    story.tell(credit("alice", 1, 700_00, NOON))
    assert story.receiver("alice")[at.R_COUNT] == 1
    story.tell(structs.replace(credit("alice", 2, 700_00, NOON), side="DEBIT"))
    assert story.receiver("alice")[at.R_COUNT] == 1


def test_payments_within_an_hour_are_one_alert() -> None:
    story = Story(HOLDS)
    times = (NOON, NOON + 20 * 60 * SECOND, NOON + HOUR - 1, NOON + HOUR, NOON - HOUR)
    raised = [story.of(ev.FraudAlertRaised, payment(n, 2_000_00, now))[0] for n, now in enumerate(times)]
    assert [one.alert_id for one in raised] == [raised[n].event_id for n in (0, 0, 0, 3, 4)]
    assert len({one.event_id for one in raised}) == 5
    row = story.replay.rows.get(alerts.alert_key("acme", "alice", "P1"))
    assert row is not None and alerts.read_alert(row).alert_id == raised[0].event_id


def test_rates_make_amounts_comparable_and_a_day_has_one() -> None:
    story = Story(HOLDS)
    dong = [structs.replace(payment(n, 950_000 * 1_000), currency="VND") for n in range(3)]
    (decided,) = story.of(ev.PaymentDecided, dong[0])
    assert decided.outcome == "APPROVE"  # without a rate its amount is not known
    story.tell(
        quoted("VND", 3_700, NOON - HOUR), quoted("VND", 3_800, NOON), quoted("VND", 1, NOON - 2 * HOUR)
    )
    row = story.replay.rows.get(rates_key("acme", "VND"))
    assert [(day.from_s, day.quoted_s) for day in read_days(row)] == [
        ((NOON - 2 * HOUR) // SECOND, NOON // SECOND)
    ]
    (decided,) = story.of(ev.PaymentDecided, dong[1])
    assert decided.outcome == "REVIEW"
    assert decided.reasons[0].detail == "36,100.00 EUR"


def test_rates_that_are_quoted_ahead_never_take_the_place_of_todays() -> None:
    story = Story(HOLDS)
    story.tell(*(quoted("USD", 90_000_000 + day, NOON - day * DAY) for day in range(100, -1, -1)))
    ahead = [quoted("USD", 5, NOON + day * DAY) for day in range(1, 400)]
    for part in (ahead[:300], ahead[300:][::-1]):
        story.tell(*part, at_us=NOON)
    days = [day.from_s * SECOND for day in read_days(story.replay.rows.get(rates_key("acme", "USD")))]
    assert days == [NOON + day * DAY for day in range(-95, 33)]
    (decided,) = story.of(ev.PaymentDecided, payment(1, 2_000_00, currency="USD"))
    assert (decided.outcome, decided.reasons[0].detail) == ("REVIEW", "1,800.00 EUR")
    story.tell(*(quoted("USD", 6, NOON + day * DAY) for day in range(60)))
    days = [day.from_s * SECOND for day in read_days(story.replay.rows.get(rates_key("acme", "USD")))]
    assert days == [NOON + day * DAY for day in range(-68, 60)]


def test_no_row_is_larger_for_what_an_upstream_writes_into_a_payment() -> None:
    story, long = Story(HOLDS), "\U0001f600" * 40_000
    texts = dict.fromkeys(("channel", "reference", "counterparty_country", "merchant_category"), long)
    for number in range(40):
        story.tell(payment(number, 2_000_00, device_id=f"{number:03}{long}", **texts))
    rows = story.replay.rows.data
    assert len([key for key in rows if key.startswith(b"v\0")]) == 40
    assert max(len(key) + len(row) for key, row in rows.items()) < 64 * 1024


def test_rules_go_by_the_segment_and_the_age_of_an_account() -> None:
    rule = Rule(
        rule_id="young", version=1, expression="account_age < 2 d", outcome="REVIEW", segments=("payroll",),
        reason="{account_age}",
    )  # fmt: skip
    story = Story(rule)
    story.tell(
        opened("alice", NOON - DAY, "payroll"),
        opened("bea", NOON - DAY),
        opened("al", NOON - 3 * DAY, "payroll"),
    )
    story.tell(opened("alice", NOON - 90 * DAY, "payroll"))
    found = [
        story.of(ev.PaymentDecided, structs.replace(payment(n), debtor_account_id=account))[0].outcome
        for n, account in enumerate(("alice", "bea", "al"))
    ]
    assert found == ["REVIEW", "APPROVE", "APPROVE"]


def test_an_event_ahead_of_its_record_counts_as_of_then() -> None:
    story = Story()
    story.tell(payment(1, now=NOON + 9 * DAY), at_us=NOON)
    assert story.payer()[at.P_LAST_S] == NOON // SECOND
    row = story.replay.rows.get(decision_key("acme", "P1"))
    assert row is not None and read_decision(row).at_us == NOON


def test_tenants_share_nothing() -> None:
    story = Story()
    story.tell(payment(1), structs.replace(payment(1), tenant_id="other"))
    assert story.payer()[at.P_APPROVED] == 1
    assert story.replay.rows.get(state_rows.payer_key("other", "alice")) is not None


def test_views_show_what_is_known_of_an_account() -> None:
    story = Story()
    story.tell(payment(1), payment(2, 40_00, NOON + HOUR), received("alice", 1, "carol", 9_00, NOON))
    rows = story.replay.rows
    row = rows.get(state_rows.payer_key("acme", "alice"))
    assert row is not None
    shown = DEBTORS.show(None, ("acme", "alice"), row)  # type: ignore[arg-type]
    assert shown is not None and tuple(shown) == DEBTORS.columns
    assert (shown["approved_payments"], shown["usual_amount_eur_minor"]) == (2, 30_00)
    assert with_amounts(shown)["usual_amount_eur"] == "30.00"
    assert (shown["payments_1h"], shown["amount_24h_eur_minor"]) == (1, 60_00)
    row = rows.get(state_rows.receiver_key("acme", "alice"))
    assert row is not None
    shown = PAYEES.show(None, ("acme", "alice"), row)  # type: ignore[arg-type]
    assert shown is not None and tuple(shown) == PAYEES.columns
    assert (shown["receipts"], shown["payers_24h"], shown["amount_24h_eur_minor"]) == (1, 1, 9_00)
