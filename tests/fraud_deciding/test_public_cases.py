"""Cases that anybody may try, with the answers that are right: from payments over features to decisions.

Tables, default rules and thresholds are the product's; there is no model, and no segment of an account.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.deciding.decision import Decision
from pipeline.domain.fraud.deciding.facts import Facts
from pipeline.domain.fraud.features.amounts import NUMBER, Rates, rate
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.features.tables import FeatureTables, Payments

RATES = Rates([rate("VND", 0, 37_000)])
START_S = 1_796_688_000
"""A Monday, 00:00 UTC."""
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


class Paid(NamedTuple):
    """A payment of a test."""

    at_s: int
    payee: str = "shop"
    minor: int = 20_00
    currency: str = "EUR"
    debtor: str = "ada"


class Bank:
    """Decides payments as the stream does: by the tables' own calls of the decider."""

    def __init__(self, rates: Rates = RATES) -> None:
        self._tables, self._decider = FeatureTables(rates), Decider()
        self.known: dict[str, list[int]] = {}

    def decide(self, *paid: Paid) -> list[Decision]:
        """Return the decisions about payments that come in this order."""
        facts = Facts.of(
            np.array([one.at_s * 1_000_000 for one in paid], np.int64),
            "north",
            debtor=[one.debtor for one in paid],
            payee=[one.payee for one in paid],
            segment=["retail"] * len(paid),
        )
        decisions = self._decider.over(facts)
        nothing = [0] * len(paid)
        columns = (
            [one.at_s for one in paid],
            [id63(one.debtor) for one in paid],
            [id63(one.payee) for one in paid],
            *(nothing, nothing),
            [NUMBER[one.currency] for one in paid],
            [one.minor for one in paid],
            nothing,
        )
        payments = Payments(*(np.array(column, np.int64) for column in columns))
        judged = self._tables.pay(payments, decisions)
        self.known = dict(zip(NAMES, judged.features.tolist(), strict=True))
        return [decisions[place] for place in range(len(paid))]


def outcomes(found: list[Decision]) -> list[str]:
    return [one.outcome for one in found]


def months(days: int = 60, minor: int = 20_00) -> list[Paid]:
    """Return a payment to the same shop each day."""
    return [Paid(START_S + day * DAY_S + 12 * HOUR_S, minor=minor) for day in range(days)]


def test_ten_million_as_a_first_payment_is_reviewed() -> None:
    (found,) = Bank().decide(Paid(START_S + 12 * HOUR_S, "stranger", 10_000_000_37))
    assert found.outcome == "REVIEW" and found.score_bp >= 5_000


@pytest.mark.parametrize("together", [True, False])
def test_a_large_amount_to_a_new_payee_far_off_the_usual_is_an_alert(together: bool) -> None:
    bank, large = Bank(), Paid(START_S + 60 * DAY_S + 12 * HOUR_S, "stranger", 5_000_000_00)
    if together:
        *before, found = bank.decide(*months(), large)
    else:
        before, (found,) = bank.decide(*months()), bank.decide(large)
    assert {*outcomes(before)} == {"APPROVE"}
    assert bank.known["amount_deviations"][-1] > 1_000_00 and bank.known["is_new_payee"][-1] == 1
    assert found.outcome in ("REVIEW", "DECLINE")


@pytest.mark.parametrize("minor", [3_000_00, 20_000_00, 300_000_00])
def test_so_is_one_that_is_not_as_large(minor: int) -> None:
    *_, found = Bank().decide(*months(), Paid(START_S + 60 * DAY_S + 12 * HOUR_S, "stranger", minor))
    assert found.outcome in ("REVIEW", "DECLINE")


@pytest.mark.parametrize("rates", [RATES, Rates()], ids=["with a rate", "without a rate"])
def test_three_payments_of_950_000_dong_are_no_structuring(rates: Rates) -> None:
    bank = Bank(rates)
    found = bank.decide(
        *(Paid(START_S + hour * HOUR_S, f"payee {hour}", 950_000, "VND") for hour in (9, 10, 11))
    )
    assert outcomes(found) == ["APPROVE"] * 3
    assert bank.known["is_near_threshold"] == [0, 0, 0]


def test_three_payments_of_9_500_euros_are() -> None:
    found = Bank().decide(*(Paid(START_S + hour * HOUR_S, minor=9_500_00) for hour in (9, 10, 11)))
    assert outcomes(found)[1:] != ["APPROVE"] * 2


@pytest.mark.parametrize("size", [1, 4, 13], ids=["one by one", "by four", "at once"])
def test_a_burst_that_comes_late_beside_a_live_payment_is_as_if_it_were_live(size: int) -> None:
    """One live payment, then 12 in 12 seconds that are dated two hours earlier."""
    now_s = START_S + 12 * HOUR_S

    def burst(at_s: int) -> list[Paid]:
        return [Paid(at_s + second, f"payee {second}") for second in range(12)]

    def decided(paid: list[Paid]) -> tuple[list[str], list[int], list[int]]:
        bank, found, windows = Bank(), [], {name: [] for name in ("payments_1min", "new_payees_1h")}
        for begin in range(0, len(paid), size):
            found += outcomes(bank.decide(*paid[begin : begin + size]))
            for name, values in windows.items():
                values += bank.known[name]
        return found, windows["payments_1min"], windows["new_payees_1h"]

    late, live = decided([Paid(now_s), *burst(now_s - 2 * HOUR_S)]), decided(burst(now_s))
    assert [of[1:] for of in late] == list(live)
    assert live[1] == list(range(1, 13))
    assert live[0] == ["APPROVE"] * 10 + ["REVIEW"] * 2


@pytest.mark.parametrize("cut", range(7))
def test_a_log_that_is_read_in_two_parts_over_the_hour_counts_each_payment_once(cut: int) -> None:
    """A worker that starts again reads on where it stopped, whatever hour it is then."""
    paid = [Paid(START_S + HOUR_S + second, f"payee {second}", 400_00) for second in (-50, -30, -9, 0, 8, 20)]
    whole, parts = Bank(), Bank()
    expected, features = outcomes(whole.decide(*paid)), dict(whole.known)
    found, known = [], {name: [] for name in NAMES}
    for part in (paid[:cut], paid[cut:]):
        if part:
            found += outcomes(parts.decide(*part))
            for name, values in parts.known.items():
                known[name] += values
    assert found == expected and known == features
    assert known["payments_1h"] == [1, 2, 3, 4, 5, 6]
    assert known["payments_1min"][-2:] == [5, 5]
