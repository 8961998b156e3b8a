"""What the parts of the mixture are put together from: accounts, payments as columns, times of day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US, SECOND_US, named, numbered, times

MINUTE_US = 60 * SECOND_US
START_US = 1_767_571_200 * SECOND_US
"""2026-01-05, a Monday."""
MONTHS = (-4, 27, 55, 86, 116)
"""The first of each month, in days since the start."""
DAYTIME = (1, 1, 1, 1, 1, 2, 6, 12, 20, 28, 32, 36, 40, 36, 32, 32, 36, 44, 44, 36, 26, 16, 8, 3)
OFFICE = (0, 0, 0, 0, 0, 0, 1, 4, 12, 18, 18, 14, 8, 12, 16, 14, 8, 3, 1, 0, 0, 0, 0, 0)
CHANNELS = ["card", "app", "web", "branch", "file", "standing_order", "direct_debit"]
CARD, APP, WEB, BRANCH, FILE, STANDING, DEBIT = range(len(CHANNELS))
COUNTRIES = ["DE", "AT", "NL", "FR", "PL", "IT", "ES", "GB", "VN", "JP", "US", "LT", "TR"]
HOME, VIETNAM, JAPAN, AMERICA = 0, 8, 9, 10
ABROAD = (860, 25, 22, 22, 18, 14, 12, 10, 0, 0, 8, 5, 4)
"""Where accounts of other banks are: weights of the countries."""
CURRENCIES = ["EUR", "VND", "JPY", "USD"]
EUR, VND, JPY, USD = range(len(CURRENCIES))
CATEGORIES = [
    *("grocery", "fuel", "restaurant", "clothing", "electronics", "travel", "pharmacy"),
    *("entertainment", "home", "digital"),
]
COLUMNS = (
    *("debtor", "creditor", "amount", "at", "currency", "channel"),
    *("device", "category", "kind", "instance"),
)


class Accounts:
    """Accounts and devices by number. Names are given at the end, so that a name tells nothing."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, "accounts")
        self._countries: list[np.ndarray] = []
        self.count = 0
        self.devices = 0

    def new(self, count: int, country: int | None = HOME) -> np.ndarray:
        """Return new accounts; without a country they are anywhere, mostly at home."""
        found = np.arange(self.count, self.count + count)
        self.count += count
        abroad = self._draws.pick(count, ABROAD)
        self._countries.append(abroad if country is None else np.full(count, country))
        return found

    def new_devices(self, count: int) -> np.ndarray:
        """Return new devices."""
        self.devices += count
        return np.arange(self.devices - count, self.devices)

    @property
    def countries(self) -> np.ndarray:
        """The country of every account."""
        return np.concatenate(self._countries)


class Traffic:
    """Payments as columns, added part by part."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
        self.kinds: list[str] = []

    def add(
        self,
        kind: str,
        debtor: Any,
        creditor: Any,
        amount: Any,
        at: np.ndarray,
        *,
        channel: Any = APP,
        device: Any = -1,
        category: Any = -1,
        currency: Any = EUR,
        instance: int = -1,
    ) -> None:
        """Add payments; `at` is microseconds since the start, amounts are minor units, -1 is nothing."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        place = self.kinds.index(kind)
        given = (debtor, creditor, amount, at, currency, channel, device, category, place, instance)
        for name, values in zip(COLUMNS, given, strict=True):
            self._parts[name].append(np.broadcast_to(np.asarray(values, np.int64), (len(at),)))

    def columns(self, until_us: int) -> dict[str, np.ndarray]:
        """Return all payments of the period in the order of their time; none is of an account to itself."""
        found = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        inside = (found["at"] >= 0) & (found["at"] < until_us) & (found["debtor"] != found["creditor"])
        kept = np.flatnonzero(inside)
        order = kept[np.argsort(found["at"][kept], kind="stable")]
        return {name: values[order] for name, values in found.items()}


def payments_table(seed: int, columns: dict[str, np.ndarray], accounts: Accounts) -> pa.Table:
    """Return payments as a table; the names of accounts and devices are in random order."""
    draws = Draws(seed, "names")
    account_names, device_names = draws.order(accounts.count), draws.order(accounts.devices)
    device, creditor = columns["device"], columns["creditor"]
    devices = numbered("device-", np.append(device_names, 0), 6)
    # A bank knows the country of the other side where a payment leaves it, not of its own card terminals.
    country = np.where(columns["channel"] == DEBIT, -1, accounts.countries[creditor])
    return pa.table(
        {
            "payment_id": numbered("m", np.arange(len(device)), 8),
            "debtor_account_id": numbered("account-", account_names[columns["debtor"]], 6),
            "creditor_account_id": numbered("account-", account_names[creditor], 6),
            "amount_minor": pa.array(columns["amount"]),
            "currency": named(CURRENCIES, columns["currency"]),
            "occurred_at": times(START_US + columns["at"]),
            "channel": named(CHANNELS, columns["channel"]),
            "device_id": devices.take(pa.array(np.where(device < 0, 0, device), mask=device < 0)),
            "counterparty_country": named(COUNTRIES, country),
            "merchant_category": named(CATEGORIES, columns["category"]),
        }
    )


def clock(draws: Draws, count: int, hours: tuple[int, ...] = DAYTIME) -> np.ndarray:
    """Return times of day, microseconds."""
    return draws.pick(count, hours) * HOUR_US + draws.below(count, 3_600 * SECOND_US)


def monthly(day_of_month: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (who, day): each one's day of every month of the period."""
    who, found = [], []
    for first in MONTHS:
        day = first + day_of_month - 1
        inside = np.flatnonzero((day >= 0) & (day < days))
        who.append(inside)
        found.append(day[inside])
    return np.concatenate(who), np.concatenate(found)


def working(day: np.ndarray) -> np.ndarray:
    """Return the last working day up to each day."""
    return np.maximum(day - np.maximum(day % 7 - 4, 0), 0)


def rounded(draws: Draws, amount: np.ndarray, share: float, step: int) -> np.ndarray:
    """Return amounts, a share of them as multiples of `step`: people like round ones."""
    whole = np.maximum(amount // step, 1) * step
    return np.where(draws.chance(len(amount), share), whole, amount)


def at_of(day: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return days and times of day as microseconds since the start."""
    found: np.ndarray = day * DAY_US + time
    return found
