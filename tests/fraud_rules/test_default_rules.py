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
from tests.fraud_rules.sample import DEBTOR, SAMPLE
from tests.fraud_rules.sets import rule_list

PATH = Path(package.__path__[0]) / "default_rules.toml"
AT_US = 1_796_100_000_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def default_set() -> RuleSet:
    """Return the set of the package."""
    found = read_file(PATH.read_text("utf-8"), SAMPLE)
    assert found.problems == [] and found.rules is not None
    return found.rules


def ordinary(segment: str, **changes: Any) -> dict[str, Any]:
    """Return the features of an ordinary payment of somebody who has paid 40 times, with changes."""
    row: dict[str, Any] = {
        one.name: False if one.unit == BOOLEAN else None if one.nullable else "x" if one.unit == TEXT else 0
        for one in SAMPLE
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
    rules = CompiledRules(Published([default_set()]).at(AT_US, "north", segment), SAMPLE, DEBTOR)
    return rules.judge(ordinary(segment, **changes), AT_US)


def is_alert(found: Ruling) -> bool:
    """Whether a person looks at the payment, by the stream's default of 50."""
    return found.outcome is not None or found.score >= 50


TYPOLOGIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "payments_1min": ({"payments_1min": 11}, {"payments_1min": 10}),
    "payments_1h": ({"payments_1h": 31}, {"payments_1h": 30}),
    "fan_out": ({"new_payees_1h": 4, "is_new_payee": True}, {"new_payees_1h": 3, "is_new_payee": True}),
    "fan_in": (
        {"payers_in_24h": 10, "amount_in_24h": 2_000_00, "share_passed_on": 50_00},
        {"payers_in_24h": 10, "amount_in_24h": 2_000_00, "share_passed_on": 49_99},
    ),
    "geo_velocity": (
        {"since_other_country": 30 * MINUTE_S, "is_new_country": True, "country": "BR"},
        {"since_other_country": 31 * MINUTE_S, "is_new_country": True, "country": "BR"},
    ),
    "large_to_new_payee": (
        {"is_new_payee": True, "amount": 2_000_00, "amount_deviations": 20_01},
        {"is_new_payee": True, "amount": 1_999_99, "amount_deviations": 20_01},
    ),
    "probe_then_drain": (
        {"amount": 500_01, "since_probe": HOUR_S},
        {"amount": 500_01, "since_probe": HOUR_S + 1},
    ),
    "structuring_24h": (
        {"is_near_threshold": True, "near_threshold_24h": 2},
        {"is_near_threshold": True, "near_threshold_24h": 1},
    ),
    "structuring_7d": (
        {"is_near_threshold": True, "near_threshold_24h": 1, "near_threshold_7d": 4},
        {"is_near_threshold": False, "near_threshold_24h": 1, "near_threshold_7d": 4},
    ),
    "dormant_then_active": (
        {"silence": 60 * DAY_S, "amount": 500_00},
        {"silence": 60 * DAY_S - 1, "amount": 500_00},
    ),
    "pass_through": (
        {"amount_in_24h": 1_000_00, "share_passed_on": 80_00, "since_inflow": 6 * HOUR_S},
        {"amount_in_24h": 1_000_00, "share_passed_on": 80_00, "since_inflow": 6 * HOUR_S + 1},
    ),
    "cycle": ({"cycle_hops": 3, "amount": 500_00}, {"cycle_hops": 2, "amount": 500_00}),
    "payee_fraud_risk": ({"payee_fraud_risk": 20_00}, {"payee_fraud_risk": 19_99}),
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
    "payments_1min": ({}, "payments_1min", 11),
    "payments_1h": ({}, "payments_1h", 31),
    "payments_24h": ({}, "payments_24h", 101),
    "payments_7d": ({}, "payments_7d", 401),
    "amount_1min": ({"payments_1min": 2}, "amount_1min", 20_000_01),
    "amount_1h": ({"payments_1h": 2}, "amount_1h", 30_000_01),
    "amount_24h": ({"payments_24h": 2}, "amount_24h", 50_000_01),
    "amount_7d": ({"payments_7d": 2}, "amount_7d", 150_000_01),
    "payees_24h": ({}, "payees_24h", 16),
    "devices_24h": ({}, "devices_24h", 4),
    "fan_out": ({}, "new_payees_1h", 4),
    "fan_in": ({"amount_in_24h": 2_000_00, "share_passed_on": 50_00}, "payers_in_24h", 10),
    "fan_in_at_payee": ({"payee_age": 30 * DAY_S - 1}, "payee_payers_24h", 21),
    "new_payee": ({"is_new_payee": True}, "approved_payments", 5),
    "new_device": ({"is_new_device": True}, "approved_payments", 5),
    "new_country": ({"is_new_country": True}, "approved_payments", 5),
    "amount_outlier": ({"amount": 500_00}, "amount_deviations", 6_01),
    "large_to_new_payee": ({"is_new_payee": True, "amount_deviations": 20_01}, "amount", 2_000_00),
    "above_largest": ({"largest_amount": 499_99}, "amount", 5_000_00),
    "probe_then_drain": ({"since_probe": HOUR_S}, "amount", 500_01),
    "structuring_24h": ({"is_near_threshold": True}, "near_threshold_24h", 2),
    "structuring_7d": ({"is_near_threshold": True}, "near_threshold_7d", 4),
    "round_amount": ({"amount": 1_000_00}, "trailing_zeros", 3),
    "dormant_then_active": ({"amount": 500_00}, "silence", 60 * DAY_S),
    "pass_through": ({"amount_in_24h": 1_000_00, "since_inflow": 6 * HOUR_S}, "share_passed_on", 80_00),
    "cycle": ({"amount": 500_00}, "cycle_hops", 3),
    "payee_fraud_risk": ({}, "payee_fraud_risk", 20_00),
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
    compiled = CompiledRules(Published([rules]).at(AT_US, "north", "retail"), SAMPLE, DEBTOR)
    assert [compiled.judge(ordinary("retail", payee=one), AT_US).outcome for one in ("acc-9", "x")] == [
        "REVIEW",
        None,
    ]


def test_an_ordinary_payment_is_let_through() -> None:
    for segment in ("retail", "payroll", "treasury"):
        assert ruled(segment) == Ruling(0, None, (), ())


def test_a_payroll_run_is_no_fraud() -> None:
    run = {
        "payments_1min": 40,
        "payments_1h": 800,
        "payments_24h": 800,
        "payments_7d": 800,
        "new_payees_1h": 12,
    }
    sums = {
        "amount_1min": 80_000_00,
        "amount_1h": 1_600_000_00,
        "amount_24h": 1_600_000_00,
        "payees_24h": 800,
    }
    assert not is_alert(
        ruled("payroll", **run, **sums, is_new_payee=True, amount=2_000_00, amount_deviations=0)
    )
    assert is_alert(ruled("retail", **run, **sums))


def test_signs_that_are_weak_alone_add_up() -> None:
    weak = ruled(is_new_device=True)
    assert weak.score == 20 and not is_alert(weak)
    assert is_alert(ruled(is_new_device=True, is_new_payee=True, is_new_country=True, hour_of_day=3))


def test_three_small_amounts_of_another_currency_are_no_structuring() -> None:
    assert not is_alert(ruled(amount=35_00, is_near_threshold=False, near_threshold_24h=0, payments_24h=3))


def test_the_model_is_in_shadow() -> None:
    assert ruled(model_score=99_00) == Ruling(0, None, (), ("model@1",))
