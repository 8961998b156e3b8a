"""Accounts, whom they pay, exchange rates, and an ordinary payment, of which every kind is made."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Any

from tests.benchmarks.reconciliation_data import texts, words
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.days import (
    LAST,
    at,
    business_day,
    day_of,
    is_business,
    is_month_end,
    later,
)
from tests.benchmarks.reconciliation_data.items import Instance, Line, Link, Posting

RATE_ONE = 1_000_000
ROUND_MINOR = (
    9_90,
    19_90,
    25_00,
    49_90,
    50_00,
    99_00,
    100_00,
    120_00,
    150_00,
    250_00,
    500_00,
    1_000_00,
    2_500_00,
)


@dataclass(frozen=True)
class Account:
    """An account, and how its bank works."""

    id: str
    currency: str
    share: int
    """Of ordinary payments, in thousandths."""
    lags: tuple[int, ...]
    """Weights of 0, 1, 2, ... business days from posting to booking."""
    slots: tuple[int, ...]
    """Hours of a day at which its bank books."""
    credits: int
    """Of its payments, in thousandths."""
    payees: int
    scale: int
    """Of its amounts: 1 is a company's."""
    month_end: int = 1
    """How many times a common day's payments a month's end has."""

    @property
    def lag_max(self) -> int:
        """The most business days that its bank usually takes."""
        return len(self.lags) - 1


NOSTRO = Account("nostro-eur", "EUR", 620, (50, 40, 10), (10, 13, 16, 20), 480, 600, 20, 5)
DOLLARS = Account("nostro-usd", "USD", 60, (0, 50, 40, 10), (20,), 500, 120, 20)
COMPANY = Account("company", "EUR", 150, (20, 50, 20, 10), (20,), 350, 90, 1, 2)
COLLECTION = Account("collection", "EUR", 145, (0, 40, 40, 15, 5), (13, 20), 900, 400, 1)
QUIET = Account("quiet", "EUR", 25, (0, 0, 0, 0, 50, 40, 10), (20,), 700, 14, 3)
ACCOUNTS = (NOSTRO, DOLLARS, COMPANY, COLLECTION, QUIET)
EUROS = (NOSTRO, COMPANY, COLLECTION, QUIET)
PROMPT = (NOSTRO, DOLLARS, COMPANY, COLLECTION)
"""Those whose banks book within a week."""


@dataclass
class Payment:
    """A payment as the books and the bank would have it if all went well."""

    account: Account
    amount_minor: int
    name: str
    said: str
    reference: str
    at: int
    booked_at: int

    @property
    def day(self) -> int:
        """The day of its posting."""
        return day_of(self.at)

    @property
    def booked_day(self) -> int:
        """The day of its booking."""
        return day_of(self.booked_at)

    def posting(self, **changes: Any) -> Posting:
        """Return its posting, with changes."""
        made = Posting(
            self.account.id,
            self.amount_minor,
            self.account.currency,
            self.at,
            self.reference,
            self.name,
            self.said,
        )
        return replace(made, **changes)

    def line(self, description: str, **changes: Any) -> Line:
        """Return its line without a reference, with changes."""
        made = Line(
            self.account.id,
            self.amount_minor,
            self.account.currency,
            self.booked_at,
            self.booked_day,
            None,
            description,
        )
        return replace(made, **changes)


class World:
    """What the kinds share: payees, rates, and the instances that were made before."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.payees = {account.id: self._payees(account) for account in ACCOUNTS}
        self.rates = {currency: self._rates(currency, first) for currency, first in FIRST_RATES.items()}
        """EUR for one unit of a currency, in millionths, by day."""
        self.plain: list[Instance] = []
        """Instances without a reference, whose amounts others may share."""

    def payment(
        self,
        chance: Chance,
        among: tuple[Account, ...] = ACCOUNTS,
        *,
        at_least: int = 1_00,
        days_after: int = 0,
    ) -> Payment:
        """Return an ordinary payment. `days_after`: calendar days that must follow its usual lag."""
        account = chance.weighted(among, [one.share for one in among])
        day = self.day(chance, account, days_after)
        amount = amount_of(chance, account, at_least)
        signed = amount if chance.happens(account.credits) else -amount
        name, said = self.payee(chance, account), texts.purpose(chance)
        posted_at = at(day, chance.between(7 * 3_600, 19 * 3_600 - 1))
        lag = chance.weighted(range(len(account.lags)), account.lags)
        booked_at = self.booked_at(chance, account, posted_at, lag)
        return Payment(account, signed, name, said, texts.reference(chance), posted_at, booked_at)

    def day(self, chance: Chance, account: Account, days_after: int) -> int:
        """Return a day of a posting, early enough for all that follows it to be in the data set."""
        last = LAST - days_after
        while later(last, account.lag_max + 1) > LAST - days_after:
            last -= 1
        days, steps = _calendar(account)
        stop = bisect_right(days, last)
        return days[bisect_right(steps, chance.below(steps[stop - 1]), 0, stop)]

    def booked_at(self, chance: Chance, account: Account, posted_at: int, lag: int) -> int:
        """Return when a bank books so many business days later: at one of its hours, after the posting."""
        day = later(day_of(posted_at), lag)
        hours = [hour for hour in account.slots if at(day, hour * 3_600) > posted_at]
        return at(day, chance.one_of(hours) * 3_600 + chance.between(0, 599))

    def payee(self, chance: Chance, account: Account) -> str:
        """Return whom an account pays; the first of its payees come most often."""
        names = self.payees[account.id]
        return names[min(chance.below(len(names)), chance.below(len(names)))]

    def in_euros(self, currency: str, amount_minor: int, day: int) -> int:
        """Return an amount in EUR cents by the books' rate of a day, rounded to the nearest."""
        return (amount_minor * self.rates[currency][day] + RATE_ONE // 2) // RATE_ONE

    def _payees(self, account: Account) -> list[str]:
        chance = Chance(self._seed, f"payees/{account.id}")
        names = dict[str, None]()
        while len(names) < account.payees:
            names[person(chance) if chance.happens(450) else company(chance)] = None
        return list(names)

    def _rates(self, currency: str, first: int) -> list[int]:
        chance, rates = Chance(self._seed, f"rates/{currency}"), [first]
        for _ in range(LAST):
            rates.append(rates[-1] * chance.between(9_960, 10_040) // 10_000)
        return rates


FIRST_RATES = {"USD": 861_000, "GBP": 1_148_000, "CHF": 1_071_000}


def person(chance: Chance) -> str:
    """Return the name of a person."""
    return f"{chance.one_of(words.FIRST_NAMES)} {chance.one_of(words.LAST_NAMES)}"


def company(chance: Chance) -> str:
    """Return the name of a company."""
    first, field = chance.one_of(words.COMPANY_WORDS), chance.one_of(words.COMPANY_FIELDS)
    return f"{first} {field} {chance.one_of(words.LEGAL_FORMS)}"


def amount_of(chance: Chance, account: Account, at_least: int) -> int:
    """Return an amount in minor units: one in four a price that comes often, else a number of any size."""
    if chance.happens(250):
        often = [amount for amount in ROUND_MINOR if amount >= at_least] or [at_least]
        return chance.one_of(often) * (1 if chance.happens(600) else account.scale)
    digits = chance.weighted((4, 5, 6, 7), (15, 40, 35, 10))
    return max(
        chance.between(10 ** (digits - 1), 10**digits - 1) * chance.between(1, account.scale), at_least
    )


@cache
def _calendar(account: Account) -> tuple[list[int], list[int]]:
    """Return the days on which an account posts, and the sums of their weights."""
    days = [day for day in range(LAST + 1) if is_business(day) or day % 7 == 5]
    weights = []
    for day in days:
        busy = account.month_end if is_month_end(business_day(day)) else 1
        weights.append(100 * busy if is_business(day) else 3)
    return days, list(accumulate(weights))


def pair(kind: str, line: Line, posting: Posting) -> Instance:
    """Return an instance of one line and one posting."""
    return Instance(kind, [Link(line, (posting,))])
