"""Payments of some weeks with a known signal, and labels that come late."""

from __future__ import annotations

import numpy as np

from pipeline.domain.fraud.model.artefact import MISSING
from pipeline.training.boosted import Training
from pipeline.training.data import DAY_US, NEVER_US, Input, Payments
from pipeline.training.fitting import Boosting

DAYS = 40
NOW_US = DAYS * DAY_US
INPUTS = (Input("amount", "EUR", 2), Input("payments_24h", "count", 0), Input("payee_risk_28d", "ppm", 0))
QUICK = Training(boosting=Boosting(trees=15, depth=3))


def some_payments(rows: int = 4_000, seed: int = 1) -> Payments:
    """Return payments of which frauds are large, or go to payees of whom frauds are known."""
    chance = np.random.default_rng(seed)
    occurred = np.sort(chance.integers(0, NOW_US, rows))
    amount = np.round(np.exp(chance.normal(8, 1.2, rows))).astype(np.int64)
    risk = np.where(chance.random(rows) < 0.1, chance.integers(0, 10**6, rows), 0)
    frauds = chance.random(rows) < 0.01 + 0.6 * (amount > 22_000) * (chance.random(rows) < 0.5) + 0.3 * (
        risk > 500_000
    )
    columns = np.stack([amount, chance.integers(0, 9, rows), risk])
    columns[2, chance.random(rows) < 0.2] = MISSING
    known = np.where(frauds, occurred + chance.integers(DAY_US, 7 * DAY_US, rows), NEVER_US)
    return Payments(INPUTS, columns, occurred, amount, known)
