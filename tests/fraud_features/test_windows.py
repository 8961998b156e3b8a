"""Windows at a payment's own time, beside a plain count over all payments."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.ids import id63
from tests.fraud_features.histories import (
    COLUMNS,
    DAY_S,
    HOUR_S,
    ROWS,
    START_S,
    fresh,
    last,
    payments,
)

BUCKETS = {
    "1min": (5, 12),
    "1h": (300, 12),
    "24h": (HOUR_S, 24),
    "7d": (DAY_S, 7),
    "30d": (DAY_S, 30),
}
"""Seconds of a bucket, and how many are a window; written down here once more on purpose."""
NEAR = {"24h": 4, "3d": 12, "7d": 28}


def plain_windows(earlier: list[dict[str, int]], now: dict[str, int]) -> dict[str, int]:
    """Return the windows of a payment, by going through all payments of the debtor that came before it."""
    found = {}
    everything = [*earlier, now]
    for name, (bucket_s, count) in BUCKETS.items():
        high = now["at_s"] // bucket_s
        inside = [one for one in everything if high - count < one["at_s"] // bucket_s <= high]
        found[f"payments_{name}"] = len(inside)
        found[f"amount_{name}"] = sum(one["minor"] for one in inside)
    for name, count in NEAR.items():
        high = now["at_s"] // (6 * HOUR_S)
        near = [one for one in everything if 8_000_00 <= one["minor"] < 10_000_00]
        inside = [one for one in near if high - count < one["at_s"] // (6 * HOUR_S) <= high]
        found[f"near_threshold_{name}"] = len(inside)
        found[f"near_amount_{name}"] = sum(one["minor"] for one in inside)
    return found


def plain_distinct(earlier: list[dict[str, int]], now: dict[str, int]) -> dict[str, int]:
    """Return the different payees of each window."""
    found = {}
    for name, (bucket_s, count) in BUCKETS.items():
        first = now["at_s"] // bucket_s - count + 1
        inside = {one["payee"] for one in [*earlier, now] if one["at_s"] // bucket_s >= first}
        found[f"payees_{name}"] = len(inside)
    return found


def some_history(seed: int, late_s: int) -> list[dict[str, int]]:
    """Return the payments of one debtor: bursts, pauses of days, late by up to some seconds."""
    chance = np.random.default_rng(seed)
    steps = chance.choice(
        [0, 3, 40, 400, 4_000, 40_000, 200_000], 150, p=[0.1, 0.3, 0.2, 0.2, 0.1, 0.07, 0.03]
    )
    at_s = START_S + np.cumsum(steps)
    at_s -= chance.integers(0, late_s + 1, 150)
    amounts = chance.choice([5, 20_00, 7_999_99, 8_000_00, 9_999_99, 10_000_00, 123_456_78], 150)
    payees = chance.integers(1, 30, 150)
    return [
        {"at_s": int(at), "minor": int(minor), "payee": int(payee)}
        for at, minor, payee in zip(at_s, amounts, payees, strict=True)
    ]


@pytest.mark.parametrize("lanes_min", [ROWS, COLUMNS])
@pytest.mark.parametrize(("seed", "late_s"), [(1, 0), (2, 0), (3, 15)])
def test_windows_are_those_of_a_plain_count(seed: int, late_s: int, lanes_min: int) -> None:
    history = some_history(seed, late_s)
    features = fresh(lanes_min).pay(payments(*history)).features
    for place, now in enumerate(history):
        said = dict(zip(NAMES, features[:, place].tolist(), strict=True))
        expected = plain_windows(history[:place], now)
        if not late_s:
            expected |= plain_distinct(history[:place], now)
        assert {name: said[name] for name in expected} == expected, place


def test_a_late_burst_is_seen_beside_a_live_payment() -> None:
    live = {"at_s": START_S + 2 * HOUR_S, "payee": 9}
    burst = [{"at_s": START_S + second, "payee": 20 + second} for second in range(12)]
    late, alone = last(fresh(), live, *burst), last(fresh(), *burst)
    for name in (
        "payments_1min",
        "payments_1h",
        "payees_1min",
        "new_payees_1h",
        "amount_1min",
        "payments_24h",
    ):
        assert late[name] == alone[name], name
    assert late["payments_1min"] == late["new_payees_1h"] == 12
    assert late["late_by"] == 2 * HOUR_S - 11


def test_a_live_payment_sees_what_came_late() -> None:
    late = [{"at_s": START_S - 1_800 + second} for second in range(5)]
    found = last(fresh(), {"at_s": START_S}, *late, {"at_s": START_S + 60})
    assert found["payments_1h"] == 7
    assert found["payments_1min"] == 1


def test_a_replay_across_the_hour_counts_a_payment_once() -> None:
    times = [START_S + HOUR_S - 10, START_S + HOUR_S - 5, START_S + HOUR_S + 5]
    found = last(fresh(), *({"at_s": at_s} for at_s in times))
    assert [found[f"payments_{name}"] for name in BUCKETS] == [3, 3, 3, 3, 3]


def test_a_payment_older_than_all_windows_counts_for_itself() -> None:
    newer = [{"at_s": START_S + day * DAY_S} for day in range(40, 100)]
    found = last(fresh(), *newer, {"at_s": START_S, "minor": 70_00})
    assert (found["payments_30d"], found["amount_30d"]) == (1, 70_00)


@pytest.mark.parametrize("lanes_min", [ROWS, COLUMNS])
def test_thousands_of_payees_are_counted_about_right(lanes_min: int) -> None:
    payroll = [{"at_s": START_S + n // 2, "payee": id63(f"employee-{n}")} for n in range(3_000)]
    said = fresh(lanes_min).pay(payments(*payroll)).features[NAMES.index("payees_1h")].tolist()
    assert said[:32] == list(range(1, 33))
    for count in (50, 100, 150, 200, 400, 800, 1_500, 3_000):
        assert abs(said[count - 1] - count) <= count * 0.35, (count, said[count - 1])


def test_a_probe_and_then_a_drain() -> None:
    probe = {"at_s": START_S, "minor": 50}
    found = last(fresh(), probe, {"at_s": START_S + 1_200, "minor": 900_00})
    assert found["smallest_1h"] == 50
    assert found["times_smallest_1h"] == 1_800
    assert found["since_probe"] == 1_200
    late = last(fresh(), probe, {"at_s": START_S + 2 * HOUR_S, "minor": 900_00})
    assert late["smallest_1h"] is None
    assert late["since_probe"] == 2 * HOUR_S


def test_payments_in_dong_are_not_near_the_threshold() -> None:
    dong = {"currency": "VND", "minor": 950_000}
    found = last(fresh(), *({"at_s": START_S + 60 * minute, **dong} for minute in range(3)))
    assert found["amount"] == 35_15
    assert found["near_threshold_7d"] == 0
    assert found["is_near_threshold"] == 0


def test_a_payment_without_a_rate_counts_and_its_amount_does_not() -> None:
    found = last(fresh(), {"minor": 10_00}, {"currency": "USD", "minor": 9_000_00})
    assert found["amount"] is None
    assert found["payments_24h"] == 2
    assert found["amount_24h"] == 10_00
    assert found["amount_deviations"] is None
    assert found["is_near_threshold"] == 0
