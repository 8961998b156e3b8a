"""Who there is in the mixture: people, companies, merchants, agents, accounts of other banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.tables import DAY_US
from tests.benchmarks.fraud_data.traffic import APP, WEB, Accounts

FAVOURITES = 12
"""Merchants that a person goes to mostly."""


@dataclass(frozen=True)
class Form:
    """How much is made."""

    people: int = 9_000
    days: int = 84
    instances: int = 48
    """Planted instances of each typology."""
    payrolls: int = 40
    largest_payroll: int = 2_000


DEFAULT = Form()
SMALL = Form(people=240, days=56, instances=4, payrolls=3, largest_payroll=120)


class People:
    """Customers of the bank, one number each; arrays of equal length."""

    def __init__(self, seed: int, form: Form, accounts: Accounts, merchants: int) -> None:
        draws, count = Draws(seed, "people"), form.people
        self.account = accounts.new(count)
        sort = draws.unit(count)
        self.student = sort < 0.08
        self.dormant = (sort >= 0.08) & (sort < 0.14)
        self.joint = (sort >= 0.14) & (sort < 0.24)
        self.newcomer = sort >= 0.96
        """Opened their account within the period."""
        self.opened = np.where(self.newcomer, draws.between(count, 3, form.days - 7), 0)
        """Day; 0 for those who were there before."""
        rate = 0.1 + 0.8 * draws.unit(count)
        rate = np.where(self.joint, 1.8 * rate, np.where(self.student, 1.2 * rate, rate))
        self.cards_a_day = np.where(self.dormant, 0.0, rate)
        self.income = draws.amounts(count, np.where(self.student, 700_00, 2_600_00), 0.35)
        """A month, minor units."""
        self.saves = draws.chance(count, 0.5) | self.dormant
        self.savings = accounts.new(count)
        self.favourites = _popular(draws, count * FAVOURITES, merchants).reshape(count, FAVOURITES)
        self.relatives = draws.below(count, count)
        self.friends = draws.below(count * 6, count).reshape(count, 6)
        self.browser = accounts.new_devices(count)
        self._phones = accounts.new_devices(3 * count).reshape(3, count)
        changes = draws.chance(count, 0.08)
        self._new_phone = np.where(changes, draws.below(count, form.days), form.days) * DAY_US

    def pays(self, draws: Draws, who: np.ndarray, at: np.ndarray) -> dict[str, np.ndarray]:
        """Return channel and device with which people order payments: mostly the phone, perhaps a new one.

        Of a joint account two people have a phone each.
        """
        web = draws.chance(len(who), 0.22)
        partner = self.joint[who] & draws.chance(len(who), 0.45)
        phone = np.where(partner, 2, at >= self._new_phone[who])
        device = np.where(web, self.browser[who], self._phones[phone, who])
        return {"channel": np.where(web, WEB, APP), "device": device}

    def there(self, day: int) -> np.ndarray:
        """Return who is a customer, and not asleep, on a day."""
        return np.flatnonzero((self.opened <= day) & ~self.dormant)


class Population:
    """Everybody, with what stays the same over the period."""

    def __init__(self, seed: int, form: Form, accounts: Accounts) -> None:
        draws, scale = Draws(seed, "population"), max(1, form.people // 100)
        self.form, self.accounts = form, accounts
        self.merchants = accounts.new(13 * scale, None)
        self.category = draws.pick(len(self.merchants), (24, 9, 18, 12, 7, 5, 8, 7, 6, 4))
        self.people = People(seed, form, accounts, len(self.merchants))
        self.landlords = accounts.new(4 * scale, None)
        self.agents = accounts.new(max(3, scale // 4))
        self.owners = accounts.new(12 * len(self.agents), None)
        self.notaries = accounts.new(max(2, scale // 6))
        self.utilities = accounts.new(max(4, scale // 5))
        self.subscriptions = accounts.new(max(6, scale // 2), None)
        self.dealers = accounts.new(max(3, scale // 3), None)
        self.small_firms = accounts.new(4 * scale)
        self.suppliers = accounts.new(6 * scale, None)
        self.companies = accounts.new(form.payrolls)
        self.parents = accounts.new(int(self.people.student.sum()), None)
        self.outside = accounts.new(250 * scale, None)
        """People with an account at another bank."""

    def perhaps_new(self, draws: Draws, payees: np.ndarray, share: float) -> np.ndarray:
        """Return payees, a share of them replaced by accounts of other banks that nobody has paid before.

        Most large payments of people go to somebody new: who sells a car sells one.
        """
        fresh = np.flatnonzero(draws.chance(len(payees), share))
        found = payees.copy()
        found[fresh] = self.accounts.new(len(fresh), None)
        return found

    def shop(self, draws: Draws, who: np.ndarray) -> np.ndarray:
        """Return a merchant for each payment of a person: mostly one of the favourites."""
        favourite = self.people.favourites[who, draws.below(len(who), FAVOURITES)]
        other = _popular(draws, len(who), len(self.merchants))
        return np.where(draws.chance(len(who), 0.8), favourite, other)


def _popular(draws: Draws, count: int, merchants: int) -> np.ndarray:
    """Return merchants, the first ones more often than the last."""
    return (merchants * draws.unit(count) * draws.unit(count)).astype(np.int64)
