"""The default set: it has no problem, and each typology is found by the rules that are meant to find it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import pipeline.domain.fraud.expressions as package
from pipeline.domain.fraud.expressions.compiled import CompiledRules, Ruling
from pipeline.domain.fraud.expressions.holding import Published
from pipeline.domain.fraud.expressions.rule_files import read_file
from pipeline.domain.fraud.expressions.rule_sets import RuleSet
from pipeline.domain.fraud.expressions.units import BOOLEAN, TEXT
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from tests.fraud_rules.sets import rule_list

PATH = Path(package.__path__[0]) / "default_rules.toml"
AT_US = 1_796_100_000_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


DEVICE = {"device_id": "phone"}
FAN_OUT = {"new_payees_1h": 4, "is_new_payee": True, "amount_1h": 1_500_00, "usual_amount": 200_00}
FAN_IN = {"payers_in_7d": 7, "payers_in_24h": 3, "amount": 500_00, "is_new_payee": True}
PROBE = {"smallest_1h": 5_00, "times_smallest_1h": 60, "payments_1h": 3, "amount": 300_00}
DORMANT = {
    "account_age": 30 * DAY_S,
    "payments_30d": 4,
    "payments_24h": 3,
    "new_payees_24h": 3,
    "amount_24h": 1_000_00,
}
PASSES_ON = {"share_passed_on_6h": 70_00, "amount_in_6h": 1_000_00, "is_new_payee": True, "payments_24h": 8}
"""What rules of typologies fire at."""


def default_set() -> RuleSet:
    """Return the set of the package."""
    found = read_file(PATH.read_text("utf-8"), CATALOGUE)
    assert found.problems == [] and found.rules is not None
    return found.rules


def ordinary(segment: str, **changes: Any) -> dict[str, Any]:
    """Return the features of an ordinary payment of somebody who has paid 40 times, with changes."""
    row: dict[str, Any] = {
        one.name: False if one.unit == BOOLEAN else None if one.nullable else "x" if one.unit == TEXT else 0
        for one in CATALOGUE
    }
    row |= {
        "amount": 40_00,
        "hour_of_day": 12,
        "segment": segment,
        "approved_payments": 40,
        "payments_1min": 1,
    }
    row |= {
        "payments_1h": 1,
        "payments_24h": 2,
        "payments_7d": 9,
        "silence": DAY_S,
        "account_age": 400 * DAY_S,
    }
    row |= {"largest_amount": 900_00, "amount_deviations": 20, "payees_24h": 2, "devices_24h": 1}
    return row | changes


def ruled(segment: str = "retail", **changes: Any) -> Ruling:
    """Return what the default rules say of an ordinary payment with changes."""
    rules = CompiledRules(Published([default_set()]).at(AT_US, "north", segment), CATALOGUE, "debtor")
    return rules.judge(ordinary(segment, **changes), AT_US)


def is_alert(found: Ruling) -> bool:
    """Whether a person looks at the payment, by the stream's default of 50."""
    return found.outcome is not None or found.score >= 50


TYPOLOGIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "payments_1min": (DEVICE | {"payments_1min": 11}, DEVICE | {"payments_1min": 10}),
    "payments_1h": (DEVICE | {"payments_1h": 31}, DEVICE | {"payments_1h": 30}),
    "fan_out": (FAN_OUT | DEVICE, FAN_OUT | DEVICE | {"new_payees_1h": 3}),
    "fan_in": (FAN_IN, FAN_IN | {"payers_in_7d": 6}),
    "large_to_new_payee": (
        {"is_new_payee": True, "amount": 2_000_00, "amount_deviations": 20_01},
        {"is_new_payee": True, "amount": 1_999_99, "amount_deviations": 20_01},
    ),
    "probe_then_drain": (PROBE, PROBE | {"smallest_1h": 5_01}),
    "structuring_24h": (
        {"is_near_threshold": True, "near_threshold_24h": 2},
        {"is_near_threshold": True, "near_threshold_24h": 1},
    ),
    "structuring_7d": (
        {"is_near_threshold": True, "near_threshold_24h": 1, "near_threshold_7d": 3},
        {"is_near_threshold": False, "near_threshold_24h": 1, "near_threshold_7d": 3},
    ),
    "dormant_then_active": (DORMANT, DORMANT | {"new_payees_24h": 2}),
    "pass_through": (PASSES_ON, PASSES_ON | {"share_passed_on_6h": 69_99}),
    "cycle": ({"cycle_hops": 3, "amount": 500_00}, {"cycle_hops": 2, "amount": 500_00}),
    "payee_fraud_risk": (
        {"payee_fraud_risk": 20_00, "is_new_payee": True, "is_new_device": True},
        {"payee_fraud_risk": 19_99, "is_new_payee": True, "is_new_device": True},
    ),
    "payee_fraud_now": ({"payee_fraud_risk_7d": 40_00}, {"payee_fraud_risk_7d": 39_99}),
    "too_late": ({"late_by": 7 * DAY_S + 1}, {"late_by": 7 * DAY_S}),
    "first_large_payment": (
        {"approved_payments": 0, "amount": 10_000_000_37, "amount_deviations": None, "largest_amount": None},
        {"approved_payments": 0, "amount": 4_999_99, "amount_deviations": None, "largest_amount": None},
    ),
    "new_account_passes_on": (
        {"account_age": 13 * DAY_S, "share_passed_on": 90_00, "amount_in_24h": 1_000_00},
        {"account_age": 14 * DAY_S, "share_passed_on": 90_00, "amount_in_24h": 1_000_00},
    ),
}
"""Rule -> what it finds by itself, and what is just not enough for an alert."""


@pytest.mark.parametrize("rule_id", list(TYPOLOGIES))
def test_a_typology_is_found_and_what_is_just_below_is_not(rule_id: str) -> None:
    enough, too_little = TYPOLOGIES[rule_id]
    found = ruled(**enough)
    assert is_alert(found) and f"{rule_id}@1" in [name for name, _ in found.reasons]
    assert "unknown" not in dict(found.reasons)[f"{rule_id}@1"]
    assert not is_alert(ruled(**too_little))


AT_BOUNDS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "payments_1min": (DEVICE, "payments_1min", 11),
    "payments_1h": (DEVICE, "payments_1h", 31),
    "payments_24h": (DEVICE, "payments_24h", 101),
    "payments_7d": (DEVICE, "payments_7d", 401),
    "amount_1min": (DEVICE | {"payments_1min": 2}, "amount_1min", 20_000_01),
    "amount_1h": (DEVICE | {"payments_1h": 2}, "amount_1h", 30_000_01),
    "amount_24h": (DEVICE | {"payments_24h": 2}, "amount_24h", 50_000_01),
    "amount_7d": (DEVICE | {"payments_7d": 2}, "amount_7d", 150_000_01),
    "payees_24h": (DEVICE, "payees_24h", 16),
    "devices_24h": ({}, "devices_24h", 4),
    "fan_out": (FAN_OUT | {"payees_1h": 7}, "amount_1h", 1_600_01),
    "fan_in": (FAN_IN, "payers_in_24h", 3),
    "fan_in_at_payee": ({"payee_age": 30 * DAY_S - 1}, "payee_payers_24h", 21),
    "new_payee": ({"is_new_payee": True}, "approved_payments", 5),
    "new_device": ({"is_new_device": True}, "approved_payments", 5),
    "new_country": ({"is_new_country": True}, "approved_payments", 5),
    "amount_outlier": ({"amount": 500_00}, "amount_deviations", 6_01),
    "large_to_new_payee": ({"is_new_payee": True, "amount_deviations": 20_01}, "amount", 2_000_00),
    "above_largest": ({"largest_amount": 499_99}, "amount", 5_000_00),
    "probe_then_drain": (PROBE, "times_smallest_1h", 50),
    "structuring_24h": ({"is_near_threshold": True}, "near_threshold_24h", 2),
    "structuring_7d": ({"is_near_threshold": True}, "near_threshold_7d", 3),
    "round_amount": ({"amount": 1_000_00}, "trailing_zeros", 3),
    "dormant_then_active": (DORMANT, "account_age", 30 * DAY_S),
    "wakes_up": ({"is_new_payee": True, "amount": 500_00}, "silence", 30 * DAY_S),
    "pass_through": (PASSES_ON, "amount_in_6h", 1_000_00),
    "cycle": ({"amount": 500_00}, "cycle_hops", 3),
    "payee_fraud_risk": ({}, "payee_fraud_risk", 20_00),
    "payee_fraud_now": ({}, "payee_fraud_risk_7d", 40_00),
    "too_late": ({}, "late_by", 7 * DAY_S + 1),
    "first_large_payment": ({"approved_payments": 4}, "amount", 5_000_00),
    "very_large_payment": ({"largest_amount": 900_000_00}, "amount", 1_000_000_00),
    "new_account_passes_on": ({"account_age": 1, "amount_in_24h": 1_000_00}, "share_passed_on", 90_00),
    "model": ({}, "model_score", 90_00),
}
"""Rule -> features, and the least value of one of them at which it fires."""
ELSEWHERE = {"geo_velocity", "night", "watched_payee"}


@pytest.mark.parametrize("rule_id", list(AT_BOUNDS))
def test_a_rule_fires_from_its_bound_on(rule_id: str) -> None:
    row, name, bound = AT_BOUNDS[rule_id]

    def fires(value: int) -> bool:
        found = ruled(**(row | {name: value}))
        return f"{rule_id}@1" in [*(label for label, _ in found.reasons), *found.shadow]

    assert fires(bound) and not fires(bound - 1)


def test_every_rule_of_the_set_is_tried() -> None:
    assert {rule.rule_id for rule in default_set().rules} == AT_BOUNDS.keys() | ELSEWHERE
    assert [ruled(hour_of_day=hour).score for hour in (0, 4, 5, 23)] == [5, 5, 0, 0]
    watch = rule_list("watch", "watch", "acc-9")
    rules = msgspec.structs.replace(default_set(), lists=(watch, *default_set().lists[1:]))
    compiled = CompiledRules(Published([rules]).at(AT_US, "north", "retail"), CATALOGUE, "debtor")
    assert [compiled.judge(ordinary("retail", payee=one), AT_US).outcome for one in ("acc-9", "x")] == [
        "REVIEW",
        None,
    ]


def test_an_ordinary_payment_is_let_through() -> None:
    for segment in ("retail", "payroll", "treasury"):
        assert ruled(segment) == Ruling(0, None, (), ())


RUN = {
    "payments_1min": 40,
    "payments_1h": 800,
    "payments_24h": 800,
    "payments_7d": 800,
    "amount_1min": 80_000_00,
    "amount_1h": 1_600_000_00,
    "amount_24h": 1_600_000_00,
    "amount_7d": 1_600_000_00,
    "payees_24h": 800,
}
"""Of salaries, 800 within the hour."""


def test_a_payroll_run_is_no_fraud() -> None:
    first = {"new_payees_1h": 12, "is_new_payee": True, "amount": 2_000_00, "approved_payments": 799}
    assert not is_alert(ruled("payroll", **RUN, **first))
    unknown = ruled("retail", **RUN, **first)
    assert unknown.outcome == "REVIEW" and unknown.score < 80


def test_a_payroll_run_of_an_account_of_no_segment_is_none_either_once_there_was_one() -> None:
    assert not is_alert(ruled("retail", **RUN, approved_payments=1_600))
    assert is_alert(ruled("retail", **RUN, approved_payments=1_599))
    assert is_alert(ruled("retail", **RUN, **DEVICE, approved_payments=5_000))


def test_many_invoices_are_no_fan_out_where_their_sum_is_usual() -> None:
    assert not is_alert(ruled(**FAN_OUT | {"amount_1h": 1_600_00}))
    assert is_alert(ruled(**FAN_OUT | {"amount_1h": 1_600_01}, payees_1h=7))
    assert not is_alert(ruled(**FAN_OUT | {"amount_1h": 1_600_01}, payees_1h=8))


def test_signs_that_are_weak_alone_add_up() -> None:
    weak = ruled(is_new_device=True)
    assert weak.score == 20 and not is_alert(weak)
    elsewhere = {"is_new_country": True, "country": "BR", "since_other_country": 30 * MINUTE_S}
    assert is_alert(ruled(is_new_device=True, **elsewhere))
    assert [ruled(**elsewhere).score, ruled(**elsewhere | {"since_other_country": 1_801}).score] == [30, 10]


def test_three_small_amounts_of_another_currency_are_no_structuring() -> None:
    assert not is_alert(ruled(amount=35_00, is_near_threshold=False, near_threshold_24h=0, payments_24h=3))


def test_the_model_is_in_shadow() -> None:
    assert ruled(model_score=99_00) == Ruling(0, None, (), ("model@1",))
