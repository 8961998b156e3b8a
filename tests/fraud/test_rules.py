"""The fraud rules one by one, below, at and above their limits."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.fraud import rules as fraud_rules
from pipeline.domain.fraud.profile import Attempt, Profile, id64
from pipeline.domain.fraud.settings import FraudRules

NOON_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
RULES = FraudRules()


def attempt(at_s: int = NOON_S, amount_minor: int = 10_00, **changes: Any) -> Attempt:
    values: dict[str, Any] = {"payee": id64("shop"), "device": id64("phone"), "country": "FR"} | changes
    return Attempt(at_s, amount_minor, **values)


def profile_of(*attempts: Attempt, at_s: int = NOON_S, approved: bool = True) -> Profile:
    """Return the profile after these payments, rolled on to `at_s`."""
    profile = Profile()
    for one in attempts:
        profile.roll(one.at_s)
        profile.add(
            one,
            near_threshold=fraud_rules.is_near_threshold(one.amount_minor, RULES),
            probe=fraud_rules.is_probe(one.amount_minor, RULES),
        )
        if approved:
            profile.learn(one)
    profile.roll(at_s)
    return profile


@pytest.mark.parametrize(
    ("ago_s", "before", "detail"),
    [
        (0, 9, None),
        (0, 10, "11 payments in 60 s, limit 10"),
        (0, 11, "12 payments in 60 s, limit 10"),
        (10 * MINUTE_S, 29, None),
        (10 * MINUTE_S, 30, "31 payments in 1 h, limit 30"),
        (10 * MINUTE_S, 31, "32 payments in 1 h, limit 30"),
        (5 * HOUR_S, 99, None),
        (5 * HOUR_S, 100, "101 payments in 24 h, limit 100"),
        (3 * DAY_S, 399, None),
        (3 * DAY_S, 400, "401 payments in 7 d, limit 400"),
        (8 * DAY_S, 500, None),
    ],
)
def test_velocity_count_fires_above_the_limit_of_each_window(
    ago_s: int, before: int, detail: str | None
) -> None:
    profile = profile_of(*[attempt(NOON_S - ago_s)] * before)
    finding = fraud_rules.velocity_count(profile, attempt(), RULES)
    assert (finding and finding.detail) == detail


@pytest.mark.parametrize(
    ("ago_s", "before", "amount", "detail"),
    [
        (0, 15_000_00, 4_999_99, None),
        (0, 15_000_00, 5_000_00, None),
        (0, 15_000_00, 5_000_01, "sum 2000001 in 60 s, limit 2000000"),
        (10 * MINUTE_S, 25_000_00, 5_000_00, None),
        (10 * MINUTE_S, 25_000_00, 5_000_01, "sum 3000001 in 1 h, limit 3000000"),
        (5 * HOUR_S, 45_000_00, 5_000_01, "sum 5000001 in 24 h, limit 5000000"),
        (3 * DAY_S, 145_000_00, 5_000_00, None),
        (3 * DAY_S, 145_000_00, 5_000_01, "sum 15000001 in 7 d, limit 15000000"),
    ],
)
def test_velocity_sum_fires_above_the_limit_of_each_window(
    ago_s: int, before: int, amount: int, detail: str | None
) -> None:
    profile = profile_of(attempt(NOON_S - ago_s, before))
    finding = fraud_rules.velocity_sum(profile, attempt(amount_minor=amount), RULES)
    assert (finding and finding.detail) == detail


def test_one_large_payment_is_no_velocity() -> None:
    assert fraud_rules.velocity_sum(profile_of(), attempt(amount_minor=10**15), RULES) is None


@pytest.mark.parametrize(("before", "fires"), [(13, False), (14, False), (15, True), (16, True)])
def test_payees_per_day(before: int, fires: bool) -> None:
    profile = profile_of(*[attempt(NOON_S - HOUR_S * 2, payee=n) for n in range(before)])
    finding = fraud_rules.payees_per_day(profile, attempt(), RULES)
    assert (finding is not None) is fires
    if finding:
        assert finding.detail == f"{before + 1} payees in 24 h, limit 15"


def test_a_payee_of_today_is_not_counted_twice_and_one_of_yesterday_not_at_all() -> None:
    today = [attempt(NOON_S - HOUR_S, payee=n) for n in range(15)]
    assert fraud_rules.payees_per_day(profile_of(*today), attempt(payee=3), RULES) is None
    yesterday = [attempt(NOON_S - DAY_S, payee=n) for n in range(20)]
    assert fraud_rules.payees_per_day(profile_of(*yesterday), attempt(), RULES) is None


@pytest.mark.parametrize(("before", "fires"), [(1, False), (2, False), (3, True), (4, True)])
def test_devices_per_day(before: int, fires: bool) -> None:
    profile = profile_of(*[attempt(NOON_S - HOUR_S, device=n) for n in range(before)])
    assert (fraud_rules.devices_per_day(profile, attempt(), RULES) is not None) is fires
    assert fraud_rules.devices_per_day(profile, attempt(device=None), RULES) is None


@pytest.mark.parametrize(
    ("before", "ago_s", "fires"), [(5, 60, False), (6, 60, True), (7, 60, True), (7, HOUR_S, False)]
)
def test_fan_out_counts_payees_first_paid_within_the_hour(before: int, ago_s: int, fires: bool) -> None:
    profile = profile_of(*[attempt(NOON_S - ago_s, payee=n) for n in range(before)])
    finding = fraud_rules.fan_out(profile, attempt(), RULES)
    assert (finding is not None) is fires
    if finding:
        assert finding.detail == f"{before + 1} new payees in 1 h, limit 6"


@pytest.mark.parametrize(("history", "fires"), [(4, False), (5, True), (6, True)])
@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (fraud_rules.new_payee, {"payee": 7}),
        (fraud_rules.new_device, {"device": 7}),
        (fraud_rules.new_country, {"country": "BR"}),
    ],
)
def test_new_payee_device_and_country_need_a_history(
    rule: fraud_rules.Rule, changes: dict[str, Any], history: int, fires: bool
) -> None:
    profile = profile_of(*[attempt(NOON_S - DAY_S)] * history)
    assert (rule(profile, attempt(**changes), RULES) is not None) is fires
    assert rule(profile, attempt(), RULES) is None


def test_what_was_never_approved_stays_new() -> None:
    profile = profile_of(*[attempt(NOON_S - DAY_S)] * 5)
    profile.add(attempt(payee=7, device=7, country="BR"), near_threshold=False, probe=False)
    for rule in (fraud_rules.new_payee, fraud_rules.new_device, fraud_rules.new_country):
        assert rule(profile, attempt(payee=7, device=7, country="BR"), RULES) is not None


def test_a_debtor_whose_payments_name_no_device_or_country_has_no_new_one() -> None:
    profile = profile_of(*[attempt(NOON_S - DAY_S, device=None, country=None)] * 9)
    assert fraud_rules.new_device(profile, attempt(), RULES) is None
    assert fraud_rules.new_country(profile, attempt(), RULES) is None


@pytest.mark.parametrize(
    ("apart_s", "country", "fires"),
    [(1799, "BR", True), (1800, "BR", True), (1801, "BR", False), (-60, "BR", True), (60, "FR", False)],
)
def test_geo_velocity(apart_s: int, country: str, fires: bool) -> None:
    profile = profile_of(attempt(NOON_S - apart_s))
    finding = fraud_rules.geo_velocity(profile, attempt(country=country), RULES)
    assert (finding is not None) is fires
    if finding:
        assert finding.detail == f"FR to BR in {abs(apart_s)} s, limit 30 min"


def test_amount_outlier_is_exact_at_the_limit() -> None:
    # 300.00 and 100.00 in equal number: mean 200.00, deviation 100.00, so six deviations end at 800.00.
    profile = profile_of(*[attempt(NOON_S, 300_00), attempt(NOON_S, 100_00)] * 5)
    assert fraud_rules.amount_outlier(profile, attempt(amount_minor=799_99), RULES) is None
    assert fraud_rules.amount_outlier(profile, attempt(amount_minor=800_00), RULES) is None
    finding = fraud_rules.amount_outlier(profile, attempt(amount_minor=801_00), RULES)
    assert (
        finding
        and finding.detail == "80100 is 6.01 deviations above the mean 20000 of 10 payments, limit 6.00"
    )


@pytest.mark.parametrize(
    ("history", "amount", "fires"), [(9, 900_00, False), (10, 900_00, True), (10, 499_99, False)]
)
def test_amount_outlier_needs_a_history_and_a_considerable_amount(
    history: int, amount: int, fires: bool
) -> None:
    profile = profile_of(*[attempt(NOON_S, 10_00)] * history)
    assert (fraud_rules.amount_outlier(profile, attempt(amount_minor=amount), RULES) is not None) is fires


def test_someone_who_always_pays_the_same_has_a_floor_of_deviation() -> None:
    profile = profile_of(*[attempt(NOON_S, 400_00)] * 10)  # floor 100.00, so six deviations end at 1,000.00
    assert fraud_rules.amount_outlier(profile, attempt(amount_minor=1000_00), RULES) is None
    assert fraud_rules.amount_outlier(profile, attempt(amount_minor=1000_01), RULES) is not None


@pytest.mark.parametrize(
    ("probe", "apart_s", "drain", "fires"),
    [
        (99, 60, 500_01, True),
        (100, 60, 500_01, False),
        (99, 61, 500_01, False),
        (99, 59, 500_01, True),
        (99, 60, 500_00, False),
        (1, 0, 500_02, True),
    ],
)
def test_probe_then_drain(probe: int, apart_s: int, drain: int, fires: bool) -> None:
    profile = profile_of(attempt(NOON_S - apart_s, probe), approved=False)
    assert (fraud_rules.probe_then_drain(profile, attempt(amount_minor=drain), RULES) is not None) is fires


@pytest.mark.parametrize(
    ("before", "amount", "fires"),
    [
        (1, 9_500_00, False),
        (2, 9_500_00, True),
        (3, 9_500_00, True),
        (2, 8_999_99, False),
        (2, 9_000_00, True),
        (2, 9_999_99, True),
        (2, 10_000_00, False),
    ],
)
def test_structuring(before: int, amount: int, fires: bool) -> None:
    profile = profile_of(*[attempt(NOON_S - HOUR_S * 20, 9_100_00)] * before)
    finding = fraud_rules.structuring(profile, attempt(amount_minor=amount), RULES)
    assert (finding is not None) is fires
    if finding:
        assert finding.detail == f"{before + 1} amounts within 10% under 1000000 in 24 h, limit 2"


@pytest.mark.parametrize(
    ("amount", "fires"),
    [(999_99, False), (1_000_00, True), (1_000_01, False), (500_00, False), (7_000_00, True)],
)
def test_round_amount(amount: int, fires: bool) -> None:
    assert (fraud_rules.round_amount(Profile(), attempt(amount_minor=amount), RULES) is not None) is fires


@pytest.mark.parametrize(
    ("silent_s", "amount", "fires"),
    [
        (60 * DAY_S - 1, 500_00, False),
        (60 * DAY_S, 500_00, True),
        (60 * DAY_S + 1, 500_00, True),
        (60 * DAY_S, 499_99, False),
    ],
)
def test_dormant_then_active(silent_s: int, amount: int, fires: bool) -> None:
    profile = profile_of(attempt(NOON_S - silent_s))
    finding = fraud_rules.dormant_then_active(profile, attempt(amount_minor=amount), RULES)
    assert (finding is not None) is fires


@pytest.mark.parametrize(
    ("start", "end", "hour", "fires"),
    [
        (0, 5, 0, True),
        (0, 5, 4, True),
        (0, 5, 5, False),
        (22, 5, 21, False),
        (22, 5, 22, True),
        (22, 5, 4, True),
    ],
)
def test_night(start: int, end: int, hour: int, fires: bool) -> None:
    rules = FraudRules(night_from_hour_utc=start, night_to_hour_utc=end)
    at_s = NOON_S - 12 * HOUR_S + hour * HOUR_S
    assert (fraud_rules.night(Profile(), attempt(at_s), rules) is not None) is fires


def test_a_late_payment_is_not_judged_by_windows_it_does_not_lie_in() -> None:
    busy = profile_of(*[attempt(NOON_S, 9_500_00, payee=n, device=n) for n in range(11)])
    for late_s, rule in (
        (2 * MINUTE_S, fraud_rules.velocity_count),
        (25 * HOUR_S, fraud_rules.structuring),
        (DAY_S, fraud_rules.devices_per_day),
        (HOUR_S, fraud_rules.fan_out),
    ):
        late = attempt(NOON_S - late_s, 9_500_00)
        assert rule(busy, attempt(amount_minor=9_500_00), RULES) is not None
        assert rule(busy, late, RULES) is None
    minute_only = FraudRules(amount_per_hour_max_minor=10**12, amount_per_day_max_minor=10**12)
    assert fraud_rules.velocity_sum(busy, attempt(), minute_only) is not None
    assert fraud_rules.velocity_sum(busy, attempt(NOON_S - 2 * MINUTE_S), minute_only) is None


def test_a_drain_that_arrives_after_a_later_probe_is_seen_within_a_minute_too() -> None:
    profile = profile_of(attempt(NOON_S, 50))
    assert fraud_rules.probe_then_drain(profile, attempt(NOON_S - 60, 900_00), RULES) is not None
    assert fraud_rules.probe_then_drain(profile, attempt(NOON_S - 61, 900_00), RULES) is None


def test_paying_a_payee_of_this_hour_again_is_no_fan_out() -> None:
    profile = profile_of(*[attempt(NOON_S - 60, payee=n) for n in range(7)])
    assert fraud_rules.fan_out(profile, attempt(payee=3), RULES) is None
