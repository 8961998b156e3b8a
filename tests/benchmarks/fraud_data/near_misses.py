"""Honest traffic that looks like a typology: each has its near miss, at the rate at which banks see such.

structuring      cars at 8,900 to 9,990; builders' instalments below 10,000, week after week
fan-in           collections for a present: 6 to 25 friends within two days, then the present is bought
fan-out          a club's treasurer pays 4 to 12 members back within the hour; first runs of new firms
cycle            flatmates settle up around; firms that trade around (sweeps are in `business`)
pass-through     notaries: a house's price comes and goes within a day; students' rent from the allowance;
                 savers who move a salary on (letting agents are in `business`)
dormant          savers who wake up for a car, a deposit, a journey
probe and drain  one euro to see whether it arrives, then the deposit, within the hour
first payments   new customers' first large payment: a car, a flat's deposit, furniture
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.population import Population
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US
from tests.benchmarks.fraud_data.traffic import BRANCH, CARD, MINUTE_US, WEB, Traffic, at_of, clock, rounded


def add(seed: int, who: Population, traffic: Traffic) -> None:
    """Add all near misses."""
    large_purchases(Draws(seed, "large purchases"), who, traffic)
    collections(Draws(seed, "collections"), who, traffic)
    treasurers(Draws(seed, "treasurers"), who, traffic)
    circles(Draws(seed, "circles"), who, traffic)
    passed_on(Draws(seed, "passed on"), who, traffic)
    wakers(Draws(seed, "wakers"), who, traffic)
    tests_first(Draws(seed, "tests first"), who, traffic)
    newcomers(Draws(seed, "newcomers"), who, traffic)


def _share(who: Population, per_thousand: float) -> int:
    """Return how many of so many in a thousand people there are, at least two."""
    return max(2, int(len(who.people.account) * per_thousand / 1000))


def large_purchases(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add cars, and builders paid weekly: amounts just below 10,000 as people agree on them."""
    people, days = who.people, who.form.days
    buyers = draws.some(people.there(0), _share(who, 14))
    at = at_of(draws.below(len(buyers), days), clock(draws, len(buyers)))
    dealer = who.perhaps_new(draws, who.dealers[draws.below(len(buyers), len(who.dealers))], 0.5)
    amount = rounded(draws, draws.between(len(buyers), 8_900_00, 9_990_00), 0.8, 50_00)
    traffic.add("car", people.account[buyers], dealer, amount, at, **people.pays(draws, buyers, at))
    for buyer in draws.some(people.there(0), _share(who, 3)):
        parts = int(draws.between(1, 3, 7)[0])
        day = draws.below(1, max(days - 7 * parts, 1)) + 7 * np.arange(parts)
        at = at_of(day, clock(draws, parts))
        amount = rounded(draws, draws.between(parts, 7_000_00, 9_900_00), 0.5, 100_00)
        builder = who.perhaps_new(draws, who.suppliers[draws.below(1, len(who.suppliers))], 0.4)
        traffic.add("builder", people.account[buyer], builder, amount, at, channel=BRANCH)


def collections(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add collections: friends and some people outside pay one person 10 to 50 each; then it is spent."""
    people = who.people
    for host in draws.some(people.there(0), _share(who, 13)):
        count = int(draws.between(1, 6, 26)[0])
        guests = draws.some(people.there(0), count)
        start = at_of(draws.below(1, who.form.days - 4), clock(draws, 1))
        at = start + draws.below(count, 2 * DAY_US)
        each = rounded(draws, draws.between(count, 10_00, 50_00), 0.9, 5_00)
        traffic.add(
            "collection", people.account[guests], people.account[host], each, at,
            **people.pays(draws, guests, at),
        )  # fmt: skip
        shop = who.merchants[who.shop(draws, np.array([host]))]
        spent = start + draws.between(1, 2 * DAY_US, 4 * DAY_US)
        traffic.add("present", people.account[host], shop, each.sum(), spent, channel=CARD, category=8)


def treasurers(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add clubs that pay members back, and new firms that pay their people for the first time."""
    people = who.people
    for treasurer in draws.some(people.there(0), _share(who, 7)):
        count = int(draws.between(1, 4, 13)[0])
        members = people.account[draws.some(people.there(0), count)]
        members = who.perhaps_new(draws, members, 0.25)
        at = at_of(draws.below(1, who.form.days), clock(draws, 1)) + draws.below(count, 50 * MINUTE_US)
        amount = draws.amounts(count, 85_00, 0.9)
        order = np.full(count, treasurer)
        traffic.add(
            "club", people.account[treasurer], members, amount, at,
            **people.pays(draws, order, at),
        )  # fmt: skip
    for firm in who.accounts.new(_share(who, 3)):
        count = int(draws.between(1, 4, 13)[0])
        staff = np.concatenate([draws.some(people.account, count // 2), who.accounts.new(count - count // 2)])
        wage, first = draws.amounts(count, 2_100_00, 0.4), int(draws.below(1, max(who.form.days - 30, 1))[0])
        for day in range(first, who.form.days, 30):
            at = day * DAY_US + 11 * HOUR_US + draws.below(count, HOUR_US // 2)
            traffic.add("new_firm_payroll", firm, staff, wage, at, channel=WEB)


def circles(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add flatmates who settle up around within some days, and firms that pay each other around."""
    people, days = who.people, who.form.days
    for groups, members, median, hop in (
        (_share(who, 5), people.account[people.there(0)], 62_00, 3 * DAY_US),
        (_share(who, 2), who.small_firms, 1_900_00, 5 * DAY_US),
    ):
        for _ in range(groups):
            ring = draws.some(members, int(draws.between(1, 3, 5)[0]))
            start = at_of(draws.below(1, max(days - 15, 1)), clock(draws, 1))
            at = start + np.cumsum(draws.between(len(ring), HOUR_US, hop))
            amount = draws.amounts(len(ring), median, 0.6)
            traffic.add("circle", ring, np.roll(ring, -1), amount, at, channel=WEB)


def passed_on(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add what comes in and honestly leaves soon: by notaries, students, savers."""
    people, days = who.people, who.form.days
    houses = _share(who, 6)
    buyers = draws.some(people.there(0), houses)
    notary = who.notaries[draws.below(houses, len(who.notaries))]
    seller = who.outside[draws.below(houses, len(who.outside))]
    price = draws.amounts(houses, 240_000_00, 0.4)
    at = at_of(draws.below(houses, days), clock(draws, houses))
    on = at + draws.between(houses, 2 * HOUR_US, 26 * HOUR_US)
    traffic.add("house", people.account[buyers], notary, price, at, channel=BRANCH)
    traffic.add("notary", notary, seller, price - price // 70, on, channel=WEB)

    students = np.flatnonzero(people.student & draws.chance(len(people.account), 0.5))
    for first in range(3, days, 28):
        at = at_of(first + draws.below(len(students), 4), clock(draws, len(students)))
        room = draws.amounts(len(students), 390_00, 0.15)
        home = who.landlords[students % len(who.landlords)]
        traffic.add(
            "student_rent", people.account[students], home, room, at, **people.pays(draws, students, at)
        )

    savers = np.flatnonzero(people.saves & ~people.dormant & draws.chance(len(people.account), 0.06))
    for first in range(26, days, 30):
        at = at_of(first + draws.below(len(savers), 3), clock(draws, len(savers)))
        part = rounded(draws, people.income[savers] * 6 // 10, 0.7, 100_00)
        traffic.add(
            "saver", people.account[savers], people.savings[savers], part, at,
            **people.pays(draws, savers, at),
        )  # fmt: skip


def wakers(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add what all savers who sleep did at first, and those of one in eight who wake up honestly."""
    people = who.people
    asleep = np.flatnonzero(people.dormant)
    twice = np.repeat(asleep, 2)
    early = at_of(draws.below(len(twice), 9), clock(draws, len(twice)))
    amount = rounded(draws, draws.amounts(len(twice), 220_00, 0.6), 0.6, 10_00)
    traffic.add(
        "before_sleep", people.account[twice], people.savings[twice], amount, early,
        **people.pays(draws, twice, early),
    )  # fmt: skip
    # The others are left to the typology: what wakes up there must have slept.
    for waker in asleep[: max(2, len(asleep) // 8)]:
        count = int(draws.between(1, 1, 5)[0])
        start = at_of(draws.between(1, 42, who.form.days - 3), clock(draws, 1))
        at = start + np.sort(draws.below(count, 30 * HOUR_US))
        payees = draws.some(np.concatenate([who.dealers, who.suppliers, who.merchants]), count)
        payees = who.perhaps_new(draws, payees, 0.4)
        amount = draws.amounts(count, 1_400_00, 0.9)
        order = np.full(count, waker)
        traffic.add("waker", people.account[waker], payees, amount, at, **people.pays(draws, order, at))


def tests_first(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add those who send a euro to a new payee first, and the rest when it has arrived."""
    people = who.people
    payers = draws.some(people.there(0), _share(who, 11))
    payee = who.perhaps_new(draws, who.outside[draws.below(len(payers), len(who.outside))], 0.5)
    at = at_of(draws.below(len(payers), who.form.days), clock(draws, len(payers)))
    small = np.where(draws.chance(len(payers), 0.5), 1_00, draws.between(len(payers), 1, 5_00))
    later = at + draws.between(len(payers), 4 * MINUTE_US, 58 * MINUTE_US)
    large = rounded(draws, draws.amounts(len(payers), 900_00, 0.7), 0.7, 50_00)
    pays = people.pays(draws, payers, at)
    traffic.add("test_first", people.account[payers], payee, small, at, **pays)
    traffic.add("test_first", people.account[payers], payee, large, later, **pays)


def newcomers(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add the first large payment of new customers, within three weeks of the account's opening."""
    people = who.people
    new = np.flatnonzero(people.newcomer & draws.chance(len(people.account), 0.6))
    at = at_of(people.opened[new] + draws.below(len(new), 21), clock(draws, len(new)))
    what = draws.pick(len(new), (3, 4, 3))
    median = np.array([14_500_00, 1_900_00, 1_100_00])[what]
    payees = [who.dealers, who.landlords, who.suppliers]
    payee = np.stack([one[draws.below(len(new), len(one))] for one in payees])[what, np.arange(len(new))]
    payee = who.perhaps_new(draws, payee, 0.4)
    amount = rounded(draws, draws.amounts(len(new), median, 0.4), 0.7, 50_00)
    traffic.add("first_large", people.account[new], payee, amount, at, **people.pays(draws, new, at))
