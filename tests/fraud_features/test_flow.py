"""What an account received and what it does with it; what the others are told of a payee."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pipeline.domain.fraud.features.paying import RISK_PRIOR_BP, RISK_PRIOR_PAYMENTS
from pipeline.domain.fraud.features.tables import FeatureTables
from tests.fraud_features.histories import (
    COLUMNS,
    DAY_S,
    HOUR_S,
    ROWS,
    START_S,
    fresh,
    last,
    payments,
    receipts,
)


def test_money_that_passes_through() -> None:
    tables = fresh()
    last(tables, {"debtor": 5, "payee": 1, "minor": 1_000_00})
    last(tables, {"debtor": 6, "payee": 1, "minor": 3_000_00, "at_s": START_S + 600})
    found = last(tables, {"minor": 3_600_00, "at_s": START_S + 2 * HOUR_S})
    assert (found["amount_in_6h"], found["amount_in_24h"]) == (4_000_00, 4_000_00)
    assert found["share_passed_on"] == found["share_passed_on_6h"] == 9_000
    assert found["share_leaving_6h"] == 9_000
    assert found["payers_in_24h"] == 2
    assert found["since_inflow"] == found["since_largest_inflow"] == 2 * HOUR_S - 600
    assert found["of_largest_inflow"] == 12_000
    again = last(tables, {"minor": 400_00, "at_s": START_S + 3 * HOUR_S})
    assert (again["share_passed_on"], again["share_leaving_24h"]) == (10_000, 1_000)


def test_an_account_that_received_nothing() -> None:
    found = last(fresh(), {})
    assert found["amount_in_24h"] == found["payers_in_7d"] == 0
    for name in ("share_passed_on", "since_inflow", "of_largest_inflow", "cycle_hops"):
        assert found[name] is None


@pytest.mark.parametrize("lanes_min", [ROWS, COLUMNS])
@pytest.mark.parametrize("hops", [2, 3, 4, 5, 6])
def test_money_that_comes_back(hops: int, lanes_min: int) -> None:
    accounts = [*range(100, 100 + hops), 100]
    ring = [
        {"debtor": debtor, "payee": payee, "minor": 2_000_00 - 20_00 * n, "at_s": START_S + n * 20 * HOUR_S}
        for n, (debtor, payee) in enumerate(pairwise(accounts))
    ]
    assert last(fresh(lanes_min), *ring)["cycle_hops"] == hops
    assert last(fresh(lanes_min), *ring[:-1])["cycle_hops"] is None
    # Another amount is other money, and after a week nothing is said.
    assert last(fresh(lanes_min), *ring[:-1], ring[-1] | {"minor": 50_00})["cycle_hops"] is None
    assert last(fresh(lanes_min), *ring[:-1], ring[-1] | {"at_s": START_S + 20 * DAY_S})["cycle_hops"] is None


def test_hops_are_bounded() -> None:
    accounts = [*range(100, 108), 100]
    chain = [
        {"debtor": debtor, "payee": payee, "minor": 2_000_00, "at_s": START_S + n * HOUR_S}
        for n, (debtor, payee) in enumerate(pairwise(accounts))
    ]
    assert last(fresh(), *chain)["cycle_hops"] is None


def test_a_payee_that_many_pay_is_told_to_all_when_it_crosses_a_level() -> None:
    tables, told = fresh(), []
    for n in range(12):
        of = payments({"debtor": 50 + n, "payee": 9, "at_s": START_S + 60 * n})
        judged = tables.pay(of)
        cards = tables.receive(receipts(of, judged))
        tables.know([one.payee for one in cards], [one.values for one in cards])
        told.append(len(cards))
    # The first receipt, and the levels 5, 8, 12.
    assert told == [1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    found = last(tables, {"payee": 9, "at_s": START_S + 1_000})
    assert [found[f"payee_payers_{name}"] for name in ("1h", "24h", "7d")] == [12, 12, 12]
    assert found["payee_age"] == 1_000
    late = last(tables, {"payee": 9, "at_s": START_S + 3 * DAY_S})
    assert [late[f"payee_payers_{name}"] for name in ("1h", "24h", "7d")] == [0, 0, 12]


def test_of_a_payee_that_received_nothing_little_is_known() -> None:
    found = last(fresh(), {"payee": 9})
    assert found["payee_age"] is None
    assert found["payee_fraud_risk"] is found["payee_fraud_risk_7d"] is None
    assert found["payee_payers_24h"] == found["payee_frauds"] == 0


def with_frauds(tables: FeatureTables, delay_days: int) -> None:
    """Pay one payee ten times a day for three days; all of the second day is labelled fraud, days later."""
    for day in range(3):
        of = payments(*({"debtor": 50 + n, "payee": 9, "at_s": START_S + day * DAY_S + n} for n in range(10)))
        judged = tables.pay(of)
        cards = tables.receive(receipts(of, judged))
        tables.know([one.payee for one in cards], [one.values for one in cards])
    frauds = payments(*({"debtor": 50 + n, "payee": 9, "at_s": START_S + DAY_S + n} for n in range(10)))
    cards = tables.confirm(frauds, frauds.at_s + delay_days * DAY_S)
    tables.know([one.payee for one in cards], [one.values for one in cards])


def risk(payments_of: int, frauds: int) -> int:
    """Return the smoothed share."""
    return (frauds * 10_000 + RISK_PRIOR_PAYMENTS * RISK_PRIOR_BP) // (payments_of + RISK_PRIOR_PAYMENTS)


def test_confirmed_fraud_of_a_payee_by_windows_that_end_seven_days_before() -> None:
    tables = fresh()
    with_frauds(tables, 4)
    found = last(tables, {"payee": 9, "at_s": START_S + 8 * DAY_S + HOUR_S})
    assert (found["payee_payments_1d"], found["payee_fraud_risk_1d"]) == (10, risk(10, 10))
    assert (found["payee_payments_7d"], found["payee_fraud_risk_7d"]) == (20, risk(20, 10))
    assert found["payee_fraud_risk"] == risk(30, 10)
    assert (found["payee_labels_1d"], found["payee_labels_7d"], found["payee_frauds"]) == (0, 10, 10)
    # The payment of the eighth day has been received, too.
    later = last(tables, {"payee": 9, "at_s": START_S + 17 * DAY_S})
    assert later["payee_fraud_risk_7d"] == risk(1, 0)
    assert later["payee_fraud_risk_30d"] == risk(31, 10)


def test_a_payee_with_frauds_is_told_of_once_a_day() -> None:
    tables = fresh()
    with_frauds(tables, 4)
    told = []
    for hour in (0, 1, 23, 24, 25):
        of = payments({"debtor": 70, "payee": 9, "at_s": START_S + 6 * DAY_S + hour * HOUR_S})
        told.append(len(tables.receive(receipts(of, tables.pay(of)))))
    assert told == [1, 0, 0, 1, 0]
