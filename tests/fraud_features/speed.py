"""What features cost, in processor time, best of several batches: `python -m tests.fraud_features.speed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.domain.fraud.features.amounts import NUMBER, Rates
from pipeline.domain.fraud.features.tables import FeatureTables, Payments, Receipts

DEBTORS, PAYEES, DEVICES = 5_000, 10_000, 3_000
FROM_S = 1_700_000_000
BY_COLUMNS, BY_ROWS = 12, 10**9


def batch(chance: np.random.Generator, count: int, from_s: int, payroll: float) -> Payments:
    """Return an hour of payments; `payroll`: the share that one debtor pays."""
    at_s = np.sort(chance.integers(from_s, from_s + 3_600, count))
    debtor, payee = chance.integers(1, DEBTORS, count), chance.integers(1, PAYEES, count)
    debtor[chance.random(count) < payroll] = 1
    device = np.where(chance.random(count) < 0.5, chance.integers(1, DEVICES, count), 0)
    amount = np.exp(chance.normal(9, 2, count)).astype(np.int64) + 1
    nothing = np.zeros(count, np.int64)
    currency = np.full(count, NUMBER["EUR"])
    return Payments(at_s, debtor, payee, device, chance.integers(0, 4, count), currency, amount, nothing)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of processor time of work, and what it returns."""
    start = time.thread_time()
    found = work()
    return time.thread_time() - start, found


def line(count: int, lanes_min: int, payroll: float = 0.0) -> str:
    """Return a line of the README's table."""
    chance = np.random.default_rng(1)
    tables = FeatureTables(Rates(), lanes_min=lanes_min)
    best = [1e9] * 3
    batches = max(12, 30_000 // count)
    for number in range(batches):
        of = batch(chance, count, FROM_S + number * 3_600, payroll)
        pay, judged = timed(lambda of=of: tables.pay(of))
        receipts = Receipts(of.at_s, of.payee, of.debtor, of.currency, of.minor, judged.origins)
        receive, cards = timed(lambda receipts=receipts: tables.receive(receipts))
        told = [one.payee for one in cards], [one.values for one in cards]
        know, _ = timed(lambda told=told: tables.know(*told))
        if number >= batches // 2:
            best = [min(one) for one in zip(best, (pay, receive, know), strict=True)]
    form = "rows" if lanes_min == BY_ROWS else "columns"
    cells = [f"{one / count * 1e6:.1f}" for one in (*best, sum(best))]
    return (
        f"| {form} | {count:,} | {payroll:.0%} | {' | '.join(cells)} | {round(count / sum(best), -2):,.0f} |"
    )


if __name__ == "__main__":
    print("| form | payments at once | of one debtor | pay, µs | receive | know | all | payments/s |")
    print("|---|---|---|---|---|---|---|---|")
    for size in (100, 1_000, 5_000):
        print(line(size, BY_COLUMNS), flush=True)
    print(line(5_000, BY_COLUMNS, 0.1), flush=True)
    print(line(1_000, BY_ROWS), flush=True)
