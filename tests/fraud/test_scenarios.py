"""What the default fraud rules say of whole stories, each told with payments from an empty profile on."""

from __future__ import annotations

from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel.events import PaymentDecided, PaymentInitiated
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows

NOON_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class Customer:
    """A debtor who pays, and the stream's rows about them."""

    def __init__(self) -> None:
        self.stream, self.rows, self.number = FraudStream(), MemoryRows(), 0

    def pay(
        self,
        at_s: int,
        amount_minor: int,
        creditor_account_id: str = "shop",
        device_id: str = "phone",
        counterparty_country: str = "FR",
    ) -> PaymentDecided:
        """Pay, and return the decision."""
        self.number += 1
        payment = PaymentInitiated(
            f"event-{self.number}",
            "acme",
            at_s * 1_000_000,
            "c",
            None,
            f"payment-{self.number}",
            "A1",
            creditor_account_id,
            amount_minor,
            "EUR",
            "payment",
            "thanks",
            None,
            device_id,
            counterparty_country,
            *(None, None, "thanks"),
        )
        out = Outbox()
        self.stream.apply(payment, Arrival(payment.occurred_at, 0, 4), self.rows, out)
        decided = out.items[0][2]
        assert isinstance(decided, PaymentDecided)
        return decided

    def live(self, days: int, until_s: int = NOON_S) -> None:
        """Two payments a day of 20.00 to 59.00 to four payees, in the days before `until_s`; all approved."""
        for day in range(days):
            for half in range(2):
                step = day * 2 + half
                decided = self.pay(
                    until_s - (days - day) * DAY_S + half * 6 * HOUR_S,
                    20_00 + step * 13 % 40 * 1_00,
                    creditor_account_id=f"shop-{step % 4}",
                )
                assert decided.outcome == "APPROVE", decided


def fired(decided: PaymentDecided) -> list[str]:
    return [reason.rule for reason in decided.reasons]


def alive() -> Customer:
    customer = Customer()
    customer.live(30)
    return customer


def test_a_normal_customer_is_left_alone() -> None:
    customer = alive()
    assert customer.pay(NOON_S, 45_00, creditor_account_id="a new shop").outcome == "APPROVE"
    assert customer.pay(NOON_S + HOUR_S, 850_00, creditor_account_id="shop-1").outcome == "APPROVE"
    assert customer.pay(NOON_S + 2 * HOUR_S, 30_00, device_id="a new phone").outcome == "APPROVE"
    assert customer.pay(NOON_S + 13 * HOUR_S, 60_00, creditor_account_id="a bar").outcome == "APPROVE"


def test_a_burst_of_fifteen_payments_in_a_minute_is_held() -> None:
    customer = alive()
    outcomes = [customer.pay(NOON_S + n * 4, 20_00).outcome for n in range(15)]
    assert outcomes[:10] == ["APPROVE"] * 10
    assert "APPROVE" not in outcomes[10:]


def test_a_probe_and_then_a_drain_is_stopped() -> None:
    customer = alive()
    customer.pay(NOON_S, 50, creditor_account_id="mule")
    decided = customer.pay(NOON_S + 30, 900_00, creditor_account_id="mule")
    assert decided.outcome == "DECLINE"
    assert "probe_then_drain" in fired(decided)


def test_a_fourth_amount_just_under_the_threshold_is_held() -> None:
    customer = Customer()
    decided = [customer.pay(NOON_S + n * 4 * HOUR_S, 9_500_00) for n in range(4)]
    assert [one.outcome for one in decided[:2]] == ["APPROVE", "APPROVE"]
    assert decided[2].outcome != "APPROVE" and "structuring" in fired(decided[2])
    assert decided[3].outcome != "APPROVE" and "structuring" in fired(decided[3])


def test_two_countries_within_minutes_are_held() -> None:
    customer = alive()
    customer.pay(NOON_S, 20_00)
    decided = customer.pay(NOON_S + 10 * MINUTE_S, 20_00, counterparty_country="BR")
    assert decided.outcome == "REVIEW" and fired(decided)[-1] == "geo_velocity"


def test_a_drain_after_months_of_silence_is_held() -> None:
    customer = alive()
    decided = customer.pay(NOON_S + 90 * DAY_S, 4_000_00, creditor_account_id="mule")
    assert decided.outcome == "DECLINE"
    assert "dormant_then_active" in fired(decided)


def test_a_drain_to_a_new_payee_from_a_new_device_is_held() -> None:
    customer = alive()
    decided = customer.pay(NOON_S, 3_210_00, creditor_account_id="mule", device_id="burner")
    assert decided.outcome == "REVIEW" and decided.score == 65
    assert fired(decided) == ["new_payee", "new_device", "amount_outlier"]


def test_many_new_payees_in_an_hour_are_held() -> None:
    customer = alive()
    decided = [
        customer.pay(NOON_S + n * 3 * MINUTE_S, 20_00, creditor_account_id=f"mule-{n}") for n in range(10)
    ]
    assert decided[5].outcome == "APPROVE"
    assert all(one.outcome == "REVIEW" and "fan_out" in fired(one) for one in decided[6:])
