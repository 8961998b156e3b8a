"""What is usual: the approved payments of a debtor, and those of a currency."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt
from typing import TYPE_CHECKING

from pipeline.verify.model.fraud_windows import DAY_S, HOUR_S

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_payers import Payment

STATISTIC_MAX, POPULATION_MAX = 10**9, 10**6
SQUARES_IN = 256
"""Squares are kept in units of so many."""
HABITS_MAX = 256
PRIOR_PAYMENTS = 8
"""The population counts as so many payments of the debtor's own."""
UNKNOWN_PAYMENTS, UNKNOWN_MEAN, UNKNOWN_ROOT = 20, 100_00, 500_00
UNKNOWN_SQUARES = UNKNOWN_PAYMENTS * UNKNOWN_ROOT**2 // SQUARES_IN


@dataclass(slots=True)
class Habits:
    """Approved payments of a debtor, without confirmed frauds."""

    approved: int = 0
    last_s: int | None = None
    largest: list[int] = field(default_factory=list)
    """The two largest amounts."""
    amounts_known: int = 0
    total: int = 0
    squares: int = 0
    hours: list[int] = field(default_factory=lambda: [0] * 4)
    round: int = 0

    def learn(self, payment: Payment) -> None:
        self.approved += 1
        self.last_s = max(payment.at_s, self.last_s or payment.at_s)
        self.hours[payment.at_s % DAY_S // (6 * HOUR_S)] += 1
        self.round += payment.is_round
        if sum(self.hours) == HABITS_MAX:
            self.hours, self.round = [one // 2 for one in self.hours], self.round // 2
        amount = payment.amount
        if amount is None:
            return
        self.largest = sorted([*self.largest, amount], reverse=True)[:2]
        amount = min(amount, STATISTIC_MAX)
        self.amounts_known += 1
        self.total += amount
        self.squares += amount * amount // SQUARES_IN
        if self.amounts_known == HABITS_MAX:
            self.amounts_known //= 2
            self.total //= 2
            self.squares //= 2

    def unlearn(self, payment: Payment) -> None:
        self.approved = max(self.approved - 1, 0)
        place = payment.at_s % DAY_S // (6 * HOUR_S)
        self.hours[place] = max(self.hours[place] - 1, 0)
        self.round = max(self.round - payment.is_round, 0)
        amount = payment.amount
        if amount is None or not self.amounts_known:
            return
        if self.largest[:1] == [amount]:
            del self.largest[0]
        amount = min(amount, STATISTIC_MAX)
        self.amounts_known -= 1
        self.total = max(self.total - amount, 0)
        self.squares = max(self.squares - amount * amount // SQUARES_IN, 0)

    def amounts(self, mean: int, squares: int) -> tuple[int, int]:
        """Return the usual amount and its deviation, of own payments and the population's."""
        number = self.amounts_known + PRIOR_PAYMENTS
        own = (self.total + PRIOR_PAYMENTS * mean) // number
        square = (self.squares + PRIOR_PAYMENTS * squares) // number
        deviation = 16 * isqrt(max(square - own * own // SQUARES_IN, 0))
        return own, max(deviation, own // 4, 1)

    def share_of_hours(self, at_s: int) -> int:
        own = self.hours[at_s % DAY_S // (6 * HOUR_S)]
        return (own * 10_000 + 2 * 2_500) // (sum(self.hours) + 2)

    @property
    def share_of_round(self) -> int:
        return (self.round * 10_000 + 2 * 1_000) // (sum(self.hours) + 2)


@dataclass
class Sums:
    """Approved payments of a currency: closed days, and the day that is open."""

    number: int = UNKNOWN_PAYMENTS
    total: int = UNKNOWN_PAYMENTS * UNKNOWN_MEAN
    squares: int = UNKNOWN_SQUARES
    day: int | None = None
    open: list[int] = field(default_factory=lambda: [0, 0, 0])


@dataclass
class Population:
    """What approved payments of each currency are like, by days that are over."""

    sums: dict[str, Sums] = field(default_factory=dict)

    def usual(self, currency: str, at_s: int) -> tuple[int, int]:
        """Return the mean of amounts and of their squares, closed by the first payment of a later day."""
        sums, day = self.sums.setdefault(currency, Sums()), at_s // DAY_S
        if sums.day is None:
            sums.day = day
        if day > sums.day:
            sums.number += sums.open[0]
            sums.total += sums.open[1]
            sums.squares += sums.open[2]
            sums.day, sums.open = day, [0, 0, 0]
        return sums.total // sums.number, sums.squares // sums.number

    def add(self, currency: str, amount: int | None) -> None:
        if amount is not None:
            amount = min(amount, POPULATION_MAX)
            sums = self.sums[currency]
            sums.open[0] += 1
            sums.open[1] += amount
            sums.open[2] += amount * amount // SQUARES_IN
