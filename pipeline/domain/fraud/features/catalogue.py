"""All features, in one table: the documents, the rules' catalogue and the model's inputs are made of it.

Windows end with the payment itself, which is counted in them, at its own event time. `approved` means that
the payment was, at once or by a reviewer. Amounts are minor units of EUR by the rates of their time.
"""

from __future__ import annotations

from typing import NamedTuple

from pipeline.domain.fraud.expressions.catalogue import Catalogue, Feature
from pipeline.domain.fraud.expressions.units import (
    BOOLEAN,
    COUNT,
    DURATION,
    SD,
    SHARE,
    TEXT,
    Unit,
    amount,
    decimals_of,
)
from pipeline.domain.fraud.features.layout import DAY_S, HOUR_S, MINUTE_S
from pipeline.domain.kernel.money import INT64_MAX

EUR = amount("EUR")
WEEK_S, MONTH_S = 7 * DAY_S, 30 * DAY_S
SHARE_MOST = 10**10
"""Shares and ratios end here: a million times."""


class Input(NamedTuple):
    """A feature as a model names it."""

    name: str
    unit: str
    decimals: int


def _number(
    name: str, unit: Unit, meaning: str, window_s: int | None = None, most: int = INT64_MAX
) -> Feature:
    return Feature(name=name, unit=unit, meaning=meaning, window_s=window_s, least=0, most=most)


def _maybe(name: str, unit: Unit, meaning: str, window_s: int | None = None) -> Feature:
    if unit == SD:
        return Feature(name=name, unit=unit, meaning=meaning, window_s=window_s, nullable=True)
    return Feature(name=name, unit=unit, meaning=meaning, window_s=window_s, nullable=True, least=0)


def _yes(name: str, meaning: str, nullable: bool = False) -> Feature:
    return Feature(name=name, unit=BOOLEAN, meaning=meaning, nullable=nullable)


def _text(name: str, meaning: str, names: str | None = None, nullable: bool = True) -> Feature:
    return Feature(name=name, unit=TEXT, meaning=meaning, names=names, nullable=nullable)


_ITSELF = (
    _maybe("amount", EUR, "amount of the payment; unknown without a rate"),
    _number("trailing_zeros", COUNT, "zeros at the end of the amount in whole units of its currency", most=9),
    _number("hour_of_day", COUNT, "hour of event time, UTC", most=23),
    _number("day_of_week", COUNT, "day of event time, UTC; 0 is Monday", most=6),
    _yes("is_near_threshold", "80 to 100 % of the reporting threshold, itself not included"),
    _number("late_by", DURATION, "how far it is before the newest payment of the debtor"),
    _maybe("since_payment", DURATION, "time since the debtor's newest payment, if that is earlier"),
    _number("account_age", DURATION, "time since the account was opened, or first paid"),
)
_WINDOWS = tuple(
    one
    for name, seconds in (
        ("1min", MINUTE_S),
        ("1h", HOUR_S),
        ("24h", DAY_S),
        ("7d", WEEK_S),
        ("30d", MONTH_S),
    )
    for one in (
        _number(f"payments_{name}", COUNT, "payments of the debtor", seconds),
        _number(f"amount_{name}", EUR, "sum of the debtor's payments", seconds),
        _number(f"payees_{name}", COUNT, "different payees of the debtor", seconds),
        _number(f"devices_{name}", COUNT, "different devices of the debtor, up to 8", seconds),
    )
)
_BEHAVIOUR = (
    _number("new_payees_1h", COUNT, "different payees that were never paid before, up to 32", HOUR_S),
    _number("new_payees_24h", COUNT, "different payees that were never paid before, up to 32", DAY_S),
    *(
        one
        for name, seconds in (("24h", DAY_S), ("3d", 3 * DAY_S), ("7d", WEEK_S))
        for one in (
            _number(f"near_threshold_{name}", COUNT, "amounts near the reporting threshold", seconds),
            _number(f"near_amount_{name}", EUR, "sum of amounts near the reporting threshold", seconds),
        )
    ),
    _maybe("smallest_1h", EUR, "smallest payment of the debtor before this one", HOUR_S),
    _maybe("times_smallest_1h", COUNT, "how many times as large this payment is, up to 1,000,000", HOUR_S),
    _maybe("since_probe", DURATION, "time since a payment of the debtor under 1 EUR"),
    _number("approved_payments", COUNT, "approved payments before this one, without confirmed frauds"),
    _maybe("silence", DURATION, "time since the debtor's last approved payment"),
    _number("usual_amount", EUR, "mean of approved payments; the population's counts as 8 of them"),
    _maybe("amount_deviations", SD, "how far the amount is above the usual one"),
    _maybe("amount_ratio", SHARE, "the amount over the usual one, up to 1,000,000 times"),
    _maybe("largest_amount", EUR, "largest approved payment"),
    _maybe("of_largest", SHARE, "the amount over the largest approved one, up to 1,000,000 times"),
    _number("usual_hours", SHARE, "approved payments in these six hours of the day (UTC); smoothed"),
    _number("round_amounts", SHARE, "approved payments of round amounts (multiples of 10); smoothed"),
    _number("debtor_frauds", COUNT, "payments of the debtor that are confirmed frauds"),
    _yes("is_new_payee", "no approved payment went to the payee"),
    _yes(
        "is_new_device", "no approved payment came from the device; unknown without device or history", True
    ),
    _yes("is_new_country", "no approved payment named the country; unknown without country or history", True),
    _maybe("since_other_country", DURATION, "time since a payment that named another country"),
    _number("pair_payments", COUNT, "payments of the debtor to this payee before"),
    _number("pair_amount", EUR, "sum of them"),
    _maybe("since_pair", DURATION, "time since the newest of them, if that is earlier"),
    _maybe(
        "device_accounts_30d", COUNT, "accounts of this partition that used the device, up to 16", MONTH_S
    ),
)
_FLOW = (
    _number("amount_in_6h", EUR, "sum that the debtor received", 6 * HOUR_S),
    _maybe("share_passed_on_6h", SHARE, "what went out over what came in, up to 1,000,000 times", 6 * HOUR_S),
    _maybe("share_leaving_6h", SHARE, "this payment over what came in, up to 1,000,000 times", 6 * HOUR_S),
    _number("amount_in_24h", EUR, "sum that the debtor received", DAY_S),
    _maybe("share_passed_on", SHARE, "what went out over what came in, up to 1,000,000 times", DAY_S),
    _maybe("share_leaving_24h", SHARE, "this payment over what came in, up to 1,000,000 times", DAY_S),
    _number("payers_in_24h", COUNT, "different accounts that paid the debtor", DAY_S),
    _number("payers_in_7d", COUNT, "different accounts that paid the debtor", WEEK_S),
    _maybe("since_inflow", DURATION, "time since the debtor last received 500 EUR or more"),
    _maybe("since_largest_inflow", DURATION, "time since the largest receipt", WEEK_S),
    _maybe(
        "of_largest_inflow", SHARE, "this payment over the largest receipt, up to 1,000,000 times", WEEK_S
    ),
    _maybe("cycle_hops", COUNT, "hops after which money comes back to an account that it left", WEEK_S),
)
_PAYEE = (
    _maybe("payee_age", DURATION, "time since the payee first received money"),
    _number("payee_payers_1h", COUNT, "different accounts that paid the payee, as last told", HOUR_S),
    _number("payee_payers_24h", COUNT, "different accounts that paid the payee, as last told", DAY_S),
    _number("payee_payers_7d", COUNT, "different accounts that paid the payee, as last told", WEEK_S),
    *(
        one
        for days in (1, 7, 30)
        for one in (
            _number(
                f"payee_payments_{days}d", COUNT, "receipts in the days that end 7 days before", days * DAY_S
            ),
            _maybe(
                f"payee_fraud_risk_{days}d", SHARE, "confirmed frauds among these; smoothed", days * DAY_S
            ),
            _number(f"payee_labels_{days}d", COUNT, "frauds of the payee that were confirmed", days * DAY_S),
        )
    ),
    _maybe("payee_fraud_risk", SHARE, "confirmed frauds in all that the payee received; smoothed"),
    _number("payee_frauds", COUNT, "confirmed frauds in all that the payee received"),
)
_TEXTS = (
    _text("debtor", "account that pays", "account", nullable=False),
    _text("payee", "account that is paid", "account", nullable=False),
    _text("device_id", "device that the payment was made with"),
    _text("country", "country of the counterparty, ISO 3166"),
    _text("channel", "way in which the payment was made"),
    _text("segment", "payroll, treasury or retail", nullable=False),
)
"""Of the payment or its account, for rules alone."""
_JUDGES = (
    _maybe("model_score", SHARE, "what the live model says; unknown without one"),
    _maybe("anomaly_score", SHARE, "how strange the payment is; unknown without a model that says so"),
)
"""What is said of the features, for rules alone."""

COMPUTED = (*_ITSELF, *_WINDOWS, *_BEHAVIOUR, *_FLOW, *_PAYEE)
"""What `tables` computes, a row each, in this order."""
NAMES = tuple(one.name for one in COMPUTED)
CATALOGUE = Catalogue((*COMPUTED, *_TEXTS, *_JUDGES))
"""What rules may ask."""
INPUTS = tuple(
    Input(one.name, str(one.unit.currency or one.unit.kind), decimals_of(one.unit)) for one in COMPUTED
)
"""What a model may ask: name, unit, decimals."""
