"""What is usual for a debtor: judged against the population first, and without what proved to be fraud."""

from __future__ import annotations

from statistics import fmean, pstdev

import numpy as np
import pytest

from pipeline.domain.fraud.features.layout import (
    DEVICES,
    P_AMOUNTS,
    P_APPROVED,
    P_LARGEST,
    P_SQUARES,
    P_SUM,
)
from pipeline.domain.fraud.features.tables import Integers
from tests.fraud_features.histories import COLUMNS, DAY_S, HOUR_S, ROWS, START_S, fresh, last, payments


def declined(places: Integers, features: Integers) -> Integers:
    """Decline every payment."""
    return np.zeros(len(places), bool)


def test_a_first_payment_is_judged_against_the_population() -> None:
    tables = fresh()
    shop = [{"at_s": START_S + n, "debtor": 10 + n, "minor": 18_00 + n % 5 * 1_00} for n in range(400)]
    tables.pay(payments(*shop))
    tomorrow = START_S + DAY_S
    usual = last(tables, {"at_s": tomorrow, "debtor": 5, "minor": 22_00})
    huge = last(tables, {"at_s": tomorrow, "debtor": 6, "minor": 10_000_000_37})
    assert usual["approved_payments"] == 0
    assert usual["usual_amount"] is not None and 20_00 <= usual["usual_amount"] <= 26_00
    assert usual["amount_deviations"] is not None and abs(usual["amount_deviations"]) < 100
    assert huge["amount_deviations"] is not None and huge["amount_deviations"] > 1_000_000


def test_the_population_of_a_day_is_closed_by_the_next_day() -> None:
    tables = fresh()
    today = {"at_s": START_S, "debtor": 5}
    before = last(tables, today)["usual_amount"]
    tables.pay(payments(*({"at_s": START_S + n, "debtor": 10 + n, "minor": 900_00} for n in range(50))))
    assert last(tables, today | {"debtor": 6})["usual_amount"] == before
    assert last(tables, today | {"debtor": 7, "at_s": START_S + DAY_S})["usual_amount"] != before


def test_own_history_outweighs_the_population() -> None:
    amounts = [40_00 + 1_00 * (n * 7 % 20) for n in range(200)]
    tables = fresh()
    last(tables, *({"at_s": START_S + n, "minor": amount} for n, amount in enumerate(amounts)))
    state = tables.payers.state(1).tolist()
    n = state[P_AMOUNTS]
    assert state[P_SUM] / n == pytest.approx(fmean(amounts), rel=0.001)
    variance = state[P_SQUARES] * 256 / n - (state[P_SUM] / n) ** 2
    assert variance**0.5 == pytest.approx(pstdev(amounts), rel=0.02)
    found = last(tables, {"at_s": START_S + HOUR_S, "minor": 2_000_00})
    assert found["usual_amount"] == pytest.approx(fmean(amounts), rel=0.06)
    assert found["largest_amount"] == max(amounts)
    assert found["of_largest"] == 2_000_00 * 10_000 // max(amounts)


def test_a_declined_payment_is_an_attempt_and_no_habit() -> None:
    tables = fresh()
    tables.pay(payments({"device": 7, "country": 3, "minor": 900_00}), declined)
    found = last(tables, {"at_s": START_S + 5, "device": 7, "country": 3})
    assert found["payments_1min"] == 2
    assert found["approved_payments"] == 0
    assert found["is_new_payee"] == 1
    assert found["largest_amount"] is None
    assert found["is_new_device"] is None


@pytest.mark.parametrize("lanes_min", [ROWS, COLUMNS])
def test_what_is_new(lanes_min: int) -> None:
    usual = {"device": 7, "country": 3}
    tables = fresh(lanes_min)
    known = last(tables, usual, usual | {"at_s": START_S + 60})
    assert [known[name] for name in ("is_new_payee", "is_new_device", "is_new_country")] == [0, 0, 0]
    assert (known["pair_payments"], known["pair_amount"], known["since_pair"]) == (1, 20_00, 60)
    new = last(tables, {"at_s": START_S + 90, "payee": 3, "device": 8, "country": 4})
    assert [new[name] for name in ("is_new_payee", "is_new_device", "is_new_country")] == [1, 1, 1]
    assert new["since_other_country"] == 30
    nowhere = last(tables, {"at_s": START_S + 99})
    assert (nowhere["is_new_device"], nowhere["is_new_country"]) == (None, None)


def test_a_device_is_seen_with_several_accounts() -> None:
    found = last(fresh(), *({"debtor": 50 + n, "device": 7, "at_s": START_S + n} for n in range(3)))
    assert found["device_accounts_30d"] == 3
    later = last(
        fresh(), {"debtor": 5, "device": 7}, {"debtor": 6, "device": 7, "at_s": START_S + 31 * DAY_S}
    )
    assert later["device_accounts_30d"] == 1


def test_usual_hours_are_the_debtors_own() -> None:
    tables = fresh()
    last(tables, *({"at_s": START_S + day * DAY_S + 2 * HOUR_S} for day in range(30)))
    night = last(tables, {"at_s": START_S + 30 * DAY_S + 3 * HOUR_S})["usual_hours"]
    noon = last(tables, {"at_s": START_S + 30 * DAY_S + 12 * HOUR_S})["usual_hours"]
    assert night is not None and noon is not None
    assert night > 9_000 and noon < 500


def test_a_labelled_payment_leaves_no_trace_in_the_habits() -> None:
    usual = [{"at_s": START_S + n, "minor": 30_00 + n, "device": 7} for n in range(20)]
    fraud = {"at_s": START_S + 50, "minor": 5_000_00, "device": 8, "payee": 66}
    with_fraud, without = fresh(), fresh()
    last(with_fraud, *usual, fraud)
    last(without, *usual)
    with_fraud.unlearn(payments(fraud), np.ones(1, bool))
    ours, theirs = (tables.payers.state(1).tolist() for tables in (with_fraud, without))
    for place in (P_APPROVED, P_AMOUNTS, P_SUM, P_SQUARES, P_LARGEST):
        assert ours[place] == theirs[place], place
    assert sum(ours[DEVICES.at + 3 * DEVICES.slots : DEVICES.end]) == 20
    found = last(with_fraud, fraud | {"at_s": START_S + 90})
    assert (found["is_new_payee"], found["is_new_device"], found["debtor_frauds"]) == (1, 1, 1)
