"""Amounts that can be compared: in minor units of EUR, by rates in force at a payment's event time.

A rate is an integer: minor units of EUR for RATE_UNIT minor units of the currency, so that the currencies'
exponents are in it (1 VND = 0.0037 cents is 3,700,000). It holds from its time until the next one. Without a
rate an amount is not known: the payment counts, and its amount does not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.domain.fraud.features.bounds import AMOUNT_MAX
from pipeline.domain.kernel.currencies import EXPONENTS

RATE_UNIT = 10**9
RATE_MAX = 9 * 10**9
"""So that a rate times less than RATE_UNIT fits into 64 bits."""
COMPARED_IN = "EUR"
MINOR_MAX = 10**15
"""Larger amounts count as this one."""
FEW = 4
"""So many amounts are quicker one by one."""
CURRENCIES = tuple(sorted(EXPONENTS))
NUMBER = {currency: number for number, currency in enumerate(CURRENCIES)}
"""A currency as states and columns have it."""
SCALES = np.array([10 ** EXPONENTS[currency] for currency in CURRENCIES], np.int64)


def number_of(tenant: int, currency: str) -> int:
    """Return a currency of a tenant, by its place among some (`Rates.together`), as columns have it."""
    return tenant * len(CURRENCIES) + NUMBER[currency]


class Rate(NamedTuple):
    """A rate from a time on."""

    currency: str
    from_s: int
    eur_minor_e9: int
    """Minor units of EUR for 10**9 minor units of the currency."""


def rate(currency: str, from_s: int, eur_e9: int) -> Rate:
    """Return the rate of a currency of which one whole unit is worth `eur_e9` / 10**9 EUR."""
    per_minor = eur_e9 * 10 ** EXPONENTS[COMPARED_IN] // 10 ** EXPONENTS[currency]
    return Rate(currency, from_s, per_minor)


class Rates:
    """Rates of all currencies."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        """Raises ValueError for an unknown currency, and a rate that is not from 1 to RATE_MAX."""
        found: dict[int, dict[int, int]] = {NUMBER[COMPARED_IN]: {0: RATE_UNIT}}
        for one in rates:
            if one.currency not in NUMBER:
                raise ValueError(f"{one.currency!r} is no active ISO 4217 code")
            if not 0 < one.eur_minor_e9 <= RATE_MAX:
                raise ValueError(f"{one.currency}: a rate is from 1 to {RATE_MAX}, not {one.eur_minor_e9}")
            if one.currency != COMPARED_IN:
                found.setdefault(NUMBER[one.currency], {})[one.from_s] = one.eur_minor_e9
        self._times = {number: sorted(of) for number, of in found.items()}
        self._rates = {number: [of[time] for time in sorted(of)] for number, of in found.items()}

    @classmethod
    def together(cls, of_tenants: Sequence[Rates]) -> Rates:
        """Return the rates of some tenants; the numbers of currencies go up by len(CURRENCIES) a tenant."""
        if len(of_tenants) == 1:
            return of_tenants[0]
        found = cls()
        for place, rates in enumerate(of_tenants):
            further = place * len(CURRENCIES)
            found._times |= {number + further: times for number, times in rates._times.items()}
            found._rates |= {number + further: values for number, values in rates._rates.items()}
        return found

    def one(self, currency: int, minor: int, at_s: int) -> int | None:
        """Return a comparable amount; None without a rate."""
        place = bisect_right(self._times.get(currency, ()), at_s)
        if not place:
            return None
        return min(min(minor, MINOR_MAX) * self._rates[currency][place - 1] // RATE_UNIT, AMOUNT_MAX)

    def many(
        self, currency: np.ndarray, minor: np.ndarray, at_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return comparable amounts, 0 without a rate, and where there is one."""
        if len(minor) <= FEW:
            lines = zip(currency.tolist(), minor.tolist(), at_s.tolist(), strict=True)
            found = [self.one(*line) for line in lines]
            amounts = np.array([0 if one is None else one for one in found], np.int64)
            return amounts, np.array([one is not None for one in found], bool)
        rates = np.zeros(len(minor), np.int64)
        for number in np.unique(currency).tolist():
            if number in self._times:
                here = np.flatnonzero(currency == number)
                place = np.searchsorted(self._times[number], at_s[here], side="right")
                rates[here] = np.concatenate([[0], self._rates[number]])[place]
        whole, rest = np.divmod(np.minimum(minor, MINOR_MAX), RATE_UNIT)
        return np.minimum(whole * rates + rest * rates // RATE_UNIT, AMOUNT_MAX), rates > 0
