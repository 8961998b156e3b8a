"""What is planted: typologies of money laundering and fraud, an instance after the other.

    structuring       5 to 14 payments of 8,500 to 9,990, three to six a day
    structuring_slow  8 to 16 of them, two a day
    fan_in            8 to 20 people pay one account within two days; most of it leaves within 12 hours
    fan_out           one account pays 4 to 12 others within the hour
    cycle             3 to 6 accounts, each passes on what it got within 20 hours, back to the first
    pass_through      1 to 3 payments come in; 80 to 98 % leaves within six hours
    dormant           an account that was silent for a month pays 3 to 8 new payees within 30 hours
    probe_drain       1 to 3 payments of at most 5.00, then 2 to 5 large ones, all within the hour

Whoever does it has an ordinary life beside it: accounts are customers' (one in three a new one), payees are
customers, suppliers or accounts of other banks, new ones among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.population import Population
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US
from tests.benchmarks.fraud_data.traffic import MINUTE_US, WEB, Traffic, at_of, clock, rounded

FIRST_DAY = 10
LONGEST_DAYS = 9
"""No instance takes longer."""
SLEEP_DAYS = 30
LAST_SLEEPY_DAY = 9
"""Savers who sleep have paid before this day (`near_misses.wakers`)."""


class Planter:
    """Plants instances; no account is the main one of two."""

    def __init__(self, seed: int, who: Population, traffic: Traffic) -> None:
        self.draws = Draws(seed, "typologies")
        self.who, self.traffic = who, traffic
        self.planted = 0
        self._used = np.zeros(len(who.people.account), bool)
        asleep = np.flatnonzero(who.people.dormant)
        self._asleep = asleep[max(2, len(asleep) // 8) :].tolist()

    def one(self, low: int, high: int) -> int:
        """Return an integer from `low` up to but not including `high`."""
        return int(self.draws.between(1, low, high)[0])

    def start(self, first_day: int = FIRST_DAY) -> int:
        """Return when an instance begins, microseconds, so early that it ends; one in four at any hour."""
        day = self.one(first_day, self.who.form.days - LONGEST_DAYS)
        hours = (1,) * 24 if self.draws.chance(1, 0.25)[0] else None
        time = clock(self.draws, 1, hours) if hours else clock(self.draws, 1)
        return int(at_of(np.array([day]), time)[0])

    def people(self, count: int, at: int) -> np.ndarray:
        """Return customers who have been nobody yet: one in three new ones, as long as there are some."""
        people, day = self.who.people, at // DAY_US
        free = np.flatnonzero(~self._used & ~people.dormant & (people.opened <= day))
        new = free[people.newcomer[free]]
        wanted = int(self.draws.chance(count, 1 / 3).sum())
        chosen = self.draws.some(new, min(wanted, len(new)))
        old = free[~people.newcomer[free]]
        found = np.concatenate([chosen, self.draws.some(old, count - len(chosen))])
        self._used[found] = True
        return found[self.draws.order(len(found))]

    def sleeper(self) -> int:
        """Return a customer whose account sleeps."""
        return int(self._asleep.pop(self.one(0, len(self._asleep))))

    def payees(self, count: int) -> np.ndarray:
        """Return accounts to send to: customers, suppliers, accounts of other banks, half of these new."""
        kinds = self.draws.pick(count, (35, 10, 25, 30))
        who = self.who
        choices = [
            self.draws.some(who.people.account, count),
            who.suppliers[self.draws.below(count, len(who.suppliers))],
            who.outside[self.draws.below(count, len(who.outside))],
            who.accounts.new(count, None),
        ]
        return np.stack(choices)[kinds, np.arange(count)]

    def pays(self, person: Any, at: np.ndarray, new_device: bool = False) -> dict[str, Any]:
        """Return channel and device; a new device is one that nobody has had."""
        if new_device:
            return {"channel": WEB, "device": self.who.accounts.new_devices(1)[0]}
        people = np.broadcast_to(np.asarray(person), (len(at),))
        return self.who.people.pays(self.draws, people, at)

    def amounts(self, count: int, median: int, spread: float) -> np.ndarray:
        """Return amounts, half of them round."""
        return rounded(self.draws, self.draws.amounts(count, median, spread), 0.5, 50_00)

    def add(self, kind: str, debtor: Any, creditor: Any, amount: Any, at: np.ndarray, **more: Any) -> None:
        """Add payments of the present instance."""
        self.traffic.add(kind, debtor, creditor, amount, at, instance=self.planted, **more)


def add(seed: int, who: Population, traffic: Traffic) -> list[str]:
    """Plant all instances; return the kind of each, by its number."""
    planter, kinds = Planter(seed, who, traffic), []
    for kind, plant in TYPOLOGIES.items():
        for _ in range(who.form.instances):
            plant(planter)
            kinds.append(kind)
            planter.planted += 1
    return kinds


def _structuring(p: Planter, kind: str, a_day: tuple[int, int], count: int) -> None:
    start, rate = p.start(), p.one(*a_day)
    first = start // DAY_US * DAY_US
    day = np.arange(count) // rate
    at = np.sort(first + day * DAY_US + 8 * HOUR_US + p.draws.below(count, 12 * HOUR_US))
    (debtor,) = p.people(1, start)
    payees = p.payees(p.one(1, 4))
    amount = rounded(p.draws, p.draws.between(count, 8_500_00, 9_990_00), 0.5, 50_00)
    creditor = payees[p.draws.below(count, len(payees))]
    p.add(kind, p.who.people.account[debtor], creditor, amount, at, **p.pays(debtor, at))


def structuring(p: Planter) -> None:
    """Plant payments close below 10,000, several a day."""
    _structuring(p, "structuring", (3, 7), p.one(5, 15))


def structuring_slow(p: Planter) -> None:
    """Plant payments close below 10,000, two a day."""
    _structuring(p, "structuring_slow", (2, 3), p.one(8, 17))


def fan_in(p: Planter) -> None:
    """Plant many people who pay one account, and most of it leaving."""
    start, count = p.start(), p.one(8, 21)
    (mule,) = p.people(1, start)
    people = p.who.people
    victims = p.draws.some(people.there(start // DAY_US), count)
    at = start + p.draws.below(count, p.one(6, 49) * HOUR_US)
    amount = p.amounts(count, 360_00, 0.6)
    p.add("fan_in", people.account[victims], people.account[mule], amount, at, **p.pays(victims, at))
    outs = p.one(1, 3)
    later = at.max() + np.sort(p.draws.between(outs, HOUR_US // 4, 12 * HOUR_US))
    each = np.full(outs, amount.sum() * p.one(85, 98) // 100 // outs)
    p.add("fan_in", people.account[mule], p.payees(outs), each, later, **p.pays(mule, later))


def fan_out(p: Planter) -> None:
    """Plant an account that pays 4 to 12 others within the hour."""
    start, count = p.start(), p.one(4, 13)
    (mule,) = p.people(1, start)
    at = start + np.sort(p.draws.below(count, 58 * MINUTE_US))
    amount = p.amounts(count, 700_00, 0.6)
    p.add("fan_out", p.who.people.account[mule], p.payees(count), amount, at, **p.pays(mule, at))


def cycle(p: Planter) -> None:
    """Plant money that goes around, a little less of it at each hop."""
    start, count = p.start(), p.one(3, 7)
    ring = p.people(count, start)
    at = start + np.cumsum(p.draws.between(count, HOUR_US // 2, 20 * HOUR_US))
    kept = np.cumprod(1 - 0.04 * p.draws.unit(count))
    amount = np.rint(p.amounts(1, 5_200_00, 0.6) * kept).astype(np.int64)
    account = p.who.people.account[ring]
    p.add("cycle", account, np.roll(account, -1), amount, at, **p.pays(ring, at))


def pass_through(p: Planter) -> None:
    """Plant an account that passes on what it gets within hours."""
    start, ins, outs = p.start(), p.one(1, 4), p.one(1, 4)
    people = p.who.people
    (mule,) = p.people(1, start)
    sources = p.draws.some(np.concatenate([p.who.outside, people.account]), ins)
    at = start + np.sort(p.draws.below(ins, 2 * HOUR_US))
    amount = p.amounts(ins, 3_600_00, 0.6)
    p.add("pass_through", sources, people.account[mule], amount, at, channel=WEB)
    later = at.max() + np.sort(p.draws.between(outs, HOUR_US // 6, 6 * HOUR_US))
    each = np.full(outs, amount.sum() * p.one(80, 99) // 100 // outs)
    p.add("pass_through", people.account[mule], p.payees(outs), each, later, **p.pays(mule, later))


def dormant(p: Planter) -> None:
    """Plant an account that wakes up and pays new payees; two in three by a new device."""
    start, count = p.start(LAST_SLEEPY_DAY + SLEEP_DAYS), p.one(3, 9)
    person = p.sleeper()
    at = start + np.sort(p.draws.below(count, 30 * HOUR_US))
    pays = p.pays(person, at, bool(p.draws.chance(1, 2 / 3)[0]))
    amount = p.amounts(count, 1_300_00, 0.7)
    p.add("dormant", p.who.people.account[person], p.payees(count), amount, at, **pays)


def probe_drain(p: Planter) -> None:
    """Plant small payments that try an account, then large ones; two in three by a new device."""
    start, probes, drains = p.start(), p.one(1, 4), p.one(2, 6)
    (victim,) = p.people(1, start)
    small = start + np.sort(p.draws.below(probes, 15 * MINUTE_US))
    large = start + np.sort(p.draws.between(drains, 16 * MINUTE_US, 59 * MINUTE_US))
    payees = p.payees(p.one(1, 4))
    pays = p.pays(victim, np.append(small, large), bool(p.draws.chance(1, 2 / 3)[0]))
    at = np.append(small, large)
    amount = np.append(p.draws.between(probes, 50, 5_00), p.amounts(drains, 1_500_00, 0.6))
    creditor = payees[p.draws.below(len(at), len(payees))]
    p.add("probe_drain", p.who.people.account[victim], creditor, amount, at, **pays)


TYPOLOGIES: dict[str, Callable[[Planter], None]] = {
    "structuring": structuring,
    "structuring_slow": structuring_slow,
    "fan_in": fan_in,
    "fan_out": fan_out,
    "cycle": cycle,
    "pass_through": pass_through,
    "dormant": dormant,
    "probe_drain": probe_drain,
}
