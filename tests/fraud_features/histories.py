"""Payments for these tests: random ones of a few accounts, and single ones with what matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.domain.fraud.features.amounts import NUMBER, Rate, Rates
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.tables import FeatureTables, Judged, Payments, Receipts

START_S = 1_700_000_000 - 1_700_000_000 % 86_400
"""Midnight, UTC."""
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
RATES = Rates([Rate("VND", 0, 3_700_000), Rate("JPY", START_S + DAY_S, 600_000_000)])
ACCOUNTS_FROM = 10**15
COLUMNS, ROWS, BOTH = 1, 10**9, 8
"""`lanes_min`: all by columns, all by rows, and as it comes."""


def random_payments(
    seed: int, count: int, accounts: int = 20, from_s: int = START_S, span_s: int = 6 * HOUR_S
) -> Payments:
    """Return payments among a few accounts: one pays a tenth of them, a tenth is late by up to three days."""
    chance = np.random.default_rng(seed)
    at_s = np.sort(chance.integers(from_s, from_s + span_s, count))
    late = chance.random(count) < 0.1
    at_s[late] -= chance.integers(0, 3 * DAY_S, late.sum())
    debtor, payee = chance.integers(1, accounts, (2, count)) + ACCOUNTS_FROM
    hot = chance.random(count) < 0.1
    debtor[hot], payee[hot] = ACCOUNTS_FROM + 1, chance.integers(1, 200, hot.sum()) + ACCOUNTS_FROM
    amount = np.exp(chance.normal(9, 3, count)).astype(np.int64) + 1
    near = chance.random(count) < 0.1
    amount[near] = 9_500_00
    huge = chance.random(count) < 0.01
    amount[huge] = 2**62
    names = np.array(["EUR", "VND", "JPY", "USD"])[chance.choice(4, count, p=[0.8, 0.1, 0.05, 0.05])]
    device = np.where(chance.random(count) < 0.5, chance.integers(1, 25, count), 0)
    opened = np.where(chance.random(count) < 0.2, from_s - 10 * DAY_S, 0)
    currency = np.array([NUMBER[name] for name in names], np.int64)
    return Payments(at_s, debtor, payee, device, chance.integers(0, 4, count), currency, amount, opened)


def payments(*given: dict[str, Any]) -> Payments:
    """Return payments of which some things are said; the rest is that of an ordinary one."""
    usual = {
        "at_s": START_S, "debtor": 1, "payee": 2, "device": 0, "country": 0, "currency": "EUR",
        "minor": 20_00, "opened_s": 0,
    }  # fmt: skip
    rows = [usual | one for one in given]
    assert all(set(one) == set(usual) for one in rows)
    columns = {name: [one[name] for one in rows] for name in usual}
    columns["currency"] = [NUMBER[name] for name in columns["currency"]]
    return Payments(**{name: np.array(values, np.int64) for name, values in columns.items()})


def cut(columns: Payments, start: int, end: int) -> Payments:
    """Return a part of payments."""
    return Payments(*(column[start:end] for column in columns))


def receipts(of: Payments, judged: Judged) -> Receipts:
    """Return payments as their payees receive them."""
    return Receipts(of.at_s, of.payee, of.debtor, of.currency, of.minor, judged.origins)


def settle(tables: FeatureTables, of: Payments, judged: Judged) -> None:
    """Hand payments to their payees, and the payees' cards to all."""
    cards = tables.receive(receipts(of, judged))
    tables.know([one.payee for one in cards], [one.values for one in cards])


def last(tables: FeatureTables, *given: dict[str, Any]) -> dict[str, int | None]:
    """Return the features of the last of some payments; each is settled before the next one."""
    found: Sequence[int] = ()
    for one in given:
        of = payments(one)
        judged = tables.pay(of)
        settle(tables, of, judged)
        found = judged.features[:, 0].tolist()
    return {name: None if value == MISSING else value for name, value in zip(NAMES, found, strict=True)}


def fresh(lanes_min: int = BOTH) -> FeatureTables:
    """Return tables without any state."""
    return FeatureTables(RATES, lanes_min=lanes_min)
