"""A bank that names no device, no country and no segment: typologies as the words for them say, and payrolls.

Written from those words alone, not from the generators; amounts, times and accounts are drawn anew. The
default rules decide, without a model or a label.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from pipeline.backtest.running import Outcome, Setup, run
from tests.benchmarks.fraud_quality.ours import RATES, history_of

PEOPLE, SHOPS, DAYS, INSTANCES, STAFF = 40, 40, 91, 4, 40
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
START_S = 1_774_828_800
"""A Monday, 00:00 UTC."""


class Bank:
    """Payments with what they are."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self.rows: list[tuple[int, str, str, int, str, int]] = []
        """Time, debtor, creditor, minor units, kind, instance (-1: honest)."""
        self._strangers = 0
        self._instance = -1

    def pay(self, at_s: float, debtor: str, creditor: str, minor: float, kind: str) -> None:
        instance = self._instance if kind in TYPOLOGIES else -1
        self.rows.append((int(at_s), debtor, creditor, int(minor), kind, instance))

    def between(self, low: float, high: float) -> float:
        return float(self._draw.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        return int(self._draw.integers(low, high + 1))

    def people(self, count: int) -> list[str]:
        return [f"p{number}" for number in self._draw.choice(PEOPLE, count, replace=False)]

    def friend(self, person: str) -> str:
        """Return another person."""
        friend = self.people(1)[0]
        return friend if friend != person else f"p{(int(person[1:]) + 1) % PEOPLE}"

    def stranger(self) -> str:
        self._strangers += 1
        return f"stranger {self._strangers}"

    def live(self) -> None:
        """Purchases, rent, friends, and three runs of salaries."""
        for person in (f"p{number}" for number in range(PEOPLE)):
            usual, rent = self._draw.choice(SHOPS, 8), self.between(500_00, 1_200_00)
            for day in range(DAYS):
                for _ in range(self._draw.poisson(0.7)):
                    at_s = START_S + day * DAY_S + self.between(7, 22) * HOUR_S
                    minor = self._draw.lognormal(3.3, 0.7) * 100 + 1
                    self.pay(at_s, person, f"shop {self._draw.choice(usual)}", minor, "purchase")
            for month in range(3):
                day = START_S + month * 30 * DAY_S
                self.pay(day + DAY_S + 9 * HOUR_S, person, f"landlord {person[-1]}", rent, "rent")
                self.pay(
                    day + self.count(3, 28) * DAY_S + 12 * HOUR_S, person, self.friend(person),
                    self.between(10_00, 150_00), "friend",
                )  # fmt: skip
        salaries = [self.between(1_800_00, 4_500_00) for _ in range(STAFF)]
        for month in range(3):
            for number, salary in enumerate(salaries):
                at_s = START_S + month * 30 * DAY_S + 8 * HOUR_S + number * 2
                self.pay(at_s, "company", f"p{number}", salary, f"salaries {month + 1}")

    def commit(self) -> None:
        """Plant every typology some times."""
        for number in range(INSTANCES):
            for kind, plant in TYPOLOGIES.items():
                self._instance += 1
                at_s = START_S + self.count(36, 80) * DAY_S + self.between(8, 12) * HOUR_S
                plant(self, at_s, kind, number)


def cycle(bank: Bank, at_s: float, kind: str, number: int) -> None:
    ring, minor = bank.people(bank.count(3, 6)), bank.between(2_000_00, 9_000_00)
    for debtor, creditor in zip(ring, [*ring[1:], ring[0]], strict=True):
        bank.pay(at_s, debtor, creditor, minor, kind)
        at_s, minor = at_s + bank.between(0.5, 6) * HOUR_S, minor * bank.between(0.96, 1)


def pass_through(bank: Bank, at_s: float, kind: str, number: int) -> None:
    (payer, mule), minor = bank.people(2), bank.between(2_000_00, 9_000_00)
    bank.pay(at_s, payer, mule, minor, kind)
    part = minor * bank.between(0.8, 0.98)
    bank.pay(at_s + bank.between(0.3, 5) * HOUR_S, mule, bank.stranger(), part, kind)


def fan_out(bank: Bank, at_s: float, kind: str, number: int) -> None:
    (debtor,), count = bank.people(1), bank.count(4, 12)
    for place in range(count):
        minor = bank.between(400_00, 900_00)
        bank.pay(at_s + place * 50 * MINUTE_S / count, debtor, bank.stranger(), minor, kind)


def fan_in(bank: Bank, at_s: float, kind: str, number: int) -> None:
    mule, *payers = bank.people(bank.count(9, 20))
    total = 0.0
    for payer in payers:
        minor = bank.between(200_00, 900_00)
        bank.pay(at_s + bank.between(0, 20) * HOUR_S, payer, mule, minor, kind)
        total += minor
    bank.pay(at_s + 22 * HOUR_S, mule, bank.stranger(), total * 0.9, kind)


def probe_drain(bank: Bank, at_s: float, kind: str, number: int) -> None:
    (debtor,), creditor = bank.people(1), bank.stranger()
    bank.pay(at_s, debtor, creditor, bank.between(50, 5_00), kind)
    for place in range(bank.count(2, 4)):
        bank.pay(at_s + (place + 1) * 5 * MINUTE_S, debtor, creditor, bank.between(800_00, 3_000_00), kind)


def structuring(bank: Bank, at_s: float, kind: str, number: int) -> None:
    (debtor,), creditor = bank.people(1), bank.stranger()
    for place in range(bank.count(3, 6)):
        bank.pay(at_s + place * HOUR_S, debtor, creditor, bank.between(8_500_00, 9_950_00), kind)


def two_a_day(bank: Bank, at_s: float, kind: str, number: int) -> None:
    (debtor,), creditor = bank.people(1), bank.stranger()
    for place in range(8):
        later_s = place // 2 * DAY_S + place % 2 * 3 * HOUR_S
        bank.pay(at_s + later_s, debtor, creditor, bank.between(8_500_00, 9_950_00), kind)


def dormant(bank: Bank, at_s: float, kind: str, number: int) -> None:
    debtor = f"sleeper {number}"
    for day in range(3):
        bank.pay(START_S + day * DAY_S + 10 * HOUR_S, debtor, "shop 1", 30_00, "purchase")
    for place in range(bank.count(3, 7)):
        bank.pay(at_s + place * HOUR_S, debtor, bank.stranger(), bank.between(400_00, 2_000_00), kind)


TYPOLOGIES = {
    plant.__name__: plant
    for plant in (cycle, pass_through, fan_out, fan_in, probe_drain, structuring, two_a_day, dormant)
}
Rows = list[tuple[int, str, str, int, str, int]]


@pytest.fixture(scope="module")
def decided() -> tuple[Rows, Outcome]:
    bank = Bank(5)
    bank.live()
    bank.commit()
    rows = sorted(bank.rows)
    at_us = pa.array([row[0] * 1_000_000 for row in rows], pa.timestamp("us", "UTC"))
    payments = pa.table(
        {
            "payment_id": [f"payment {place}" for place in range(len(rows))],
            "debtor_account_id": [row[1] for row in rows],
            "creditor_account_id": [row[2] for row in rows],
            "amount_minor": pa.array([row[3] for row in rows], pa.int64()),
            "currency": ["EUR"] * len(rows),
            "occurred_at": at_us,
        }
    )
    none = pa.array([], pa.string())
    labels = pa.table({"payment_id": none, "label": none, "labelled_at": at_us[:0]})
    history, known = history_of(payments, labels)
    return rows, run(history, known, Setup(RATES))


def test_each_typology_is_found_no_later_than_its_last_payment(decided: tuple[Rows, Outcome]) -> None:
    rows, found = decided
    alerted = {row[5]: row[4] for row, rank in zip(rows, found.ranks.tolist(), strict=True) if rank}
    counts = Counter(kind for instance, kind in alerted.items() if instance >= 0)
    assert {kind: count for kind, count in counts.items() if count < INSTANCES - 1} == {}
    assert counts.keys() == TYPOLOGIES.keys()


def test_honest_payments_are_left_alone_and_salaries_after_the_first_run(
    decided: tuple[Rows, Outcome],
) -> None:
    rows, found = decided
    honest = Counter(row[4] for row, rank in zip(rows, found.ranks.tolist(), strict=True) if rank)
    disturbed = {kind: count for kind, count in honest.items() if kind not in TYPOLOGIES}
    first = disturbed.pop("salaries 1")
    assert 0 < first <= STAFF and sum(disturbed.values()) <= 5
    assert "salaries 3" not in disturbed
    salaries = [rank for row, rank in zip(rows, found.ranks.tolist(), strict=True) if row[1] == "company"]
    assert max(salaries) == 1  # reviewed, not refused
