"""A catalogue for tests of the language: names that the default rules use. The product's has all of them.

Amounts are comparable: in EUR, whatever the payment's own currency is. Windows end with the payment itself,
which is counted in them. `new` is what no approved payment had.
"""

from __future__ import annotations

from pipeline.domain.fraud.expressions.catalogue import Catalogue, Feature
from pipeline.domain.fraud.expressions.units import BOOLEAN, COUNT, DURATION, SD, SHARE, TEXT, Unit, amount
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN

EUR = amount("EUR")
HOUR_S, DAY_S = 3_600, 86_400
WEEK_S = 7 * DAY_S
DEBTOR = "debtor"
"""The feature that names the debtor."""


def _number(
    name: str, unit: Unit, meaning: str, window_s: int | None = None, most: int = INT64_MAX
) -> Feature:
    return Feature(name=name, unit=unit, meaning=meaning, window_s=window_s, least=0, most=most)


def _perhaps(name: str, unit: Unit, meaning: str, window_s: int | None = None) -> Feature:
    least = INT64_MIN if unit == SD else 0
    return Feature(name=name, unit=unit, meaning=meaning, window_s=window_s, nullable=True, least=least)


def _text(name: str, meaning: str, names: str | None = None, nullable: bool = False) -> Feature:
    return Feature(name=name, unit=TEXT, meaning=meaning, names=names, nullable=nullable)


def _yes(name: str, meaning: str) -> Feature:
    return Feature(name=name, unit=BOOLEAN, meaning=meaning)


SAMPLE = Catalogue(
    (
        # The payment itself.
        _number("amount", EUR, "amount of the payment"),
        _number(
            "trailing_zeros", COUNT, "zeros at the end of the amount in whole units of its currency", most=18
        ),
        _number("hour_of_day", COUNT, "hour of event time, UTC", most=23),
        _yes("is_near_threshold", "the amount is just under a reporting threshold"),
        _text(DEBTOR, "account that pays", names="account"),
        _text("payee", "account that is paid", names="account"),
        _text("device_id", "device that the payment was made with", nullable=True),
        _text("country", "country of the counterparty, ISO 3166", nullable=True),
        _text("channel", "way in which the payment was made", nullable=True),
        _text("segment", "payroll, treasury or retail"),
        _number("late_by", DURATION, "how far it is before the newest payment of the debtor"),
        # What the debtor did lately.
        _number("payments_1min", COUNT, "payments of the debtor", 60),
        _number("payments_1h", COUNT, "payments of the debtor", HOUR_S),
        _number("payments_24h", COUNT, "payments of the debtor", DAY_S),
        _number("payments_7d", COUNT, "payments of the debtor", WEEK_S),
        _number("amount_1min", EUR, "sum of the debtor's payments", 60),
        _number("amount_1h", EUR, "sum of the debtor's payments", HOUR_S),
        _number("amount_24h", EUR, "sum of the debtor's payments", DAY_S),
        _number("amount_7d", EUR, "sum of the debtor's payments", WEEK_S),
        _number("payees_24h", COUNT, "different payees of the debtor", DAY_S),
        _number("devices_24h", COUNT, "different devices of the debtor", DAY_S),
        _number("new_payees_1h", COUNT, "different payees that are new", HOUR_S),
        _number("new_payees_24h", COUNT, "different payees that are new", DAY_S),
        _number("near_threshold_24h", COUNT, "amounts just under a reporting threshold", DAY_S),
        _number("near_threshold_7d", COUNT, "amounts just under a reporting threshold", WEEK_S),
        # What the debtor is used to.
        _number("approved_payments", COUNT, "approved payments before this one"),
        _perhaps("account_age", DURATION, "time since the debtor's first payment"),
        _perhaps("silence", DURATION, "time since the debtor's last approved payment"),
        _perhaps("amount_deviations", SD, "how far the amount is above the debtor's mean", 30 * DAY_S),
        _perhaps("largest_amount", EUR, "largest approved payment", 90 * DAY_S),
        _yes("is_new_payee", "no approved payment went to the payee"),
        _perhaps("is_new_device", BOOLEAN, "no approved payment came from the device"),
        _perhaps("is_new_country", BOOLEAN, "no approved payment named the country"),
        _perhaps("since_other_country", DURATION, "time since a payment that named another country"),
        _perhaps("since_probe", DURATION, "time since a payment of the debtor under 1 EUR"),
        # What came in, and where it goes.
        _number("amount_in_24h", EUR, "sum that the debtor received", DAY_S),
        _number("payers_in_24h", COUNT, "different accounts that paid the debtor", DAY_S),
        _perhaps("since_inflow", DURATION, "time since the debtor last received 500 EUR or more"),
        _perhaps("share_passed_on", SHARE, "share of what came in that went out again", DAY_S),
        _perhaps(
            "cycle_hops", COUNT, "hops after which money comes back to an account that it came from", WEEK_S
        ),
        # The payee.
        _number("payee_payers_24h", COUNT, "different accounts that paid the payee", DAY_S),
        _perhaps("payee_age", DURATION, "time since the payee first received money"),
        _perhaps(
            "payee_fraud_risk", SHARE, "share of confirmed fraud in what the payee received", 28 * DAY_S
        ),
        # Other judges.
        _perhaps("model_score", SHARE, "what the model says; unknown without a model"),
    )
)
