"""Ordinary traffic of people and merchants: cards, rent, bills, salaries, transfers."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.population import Population
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US
from tests.benchmarks.fraud_data.traffic import (
    AMERICA,
    CARD,
    DEBIT,
    FILE,
    JAPAN,
    JPY,
    OFFICE,
    STANDING,
    USD,
    VIETNAM,
    VND,
    Traffic,
    at_of,
    clock,
    monthly,
    rounded,
    working,
)

MEDIANS_MINOR = np.array([31_00, 52_00, 27_00, 58_00, 129_00, 240_00, 18_00, 24_00, 74_00, 12_00])
"""Of a purchase, by the merchant's category."""


def add(seed: int, who: Population, traffic: Traffic) -> None:
    """Add all ordinary traffic of people."""
    cards(Draws(seed, "cards"), who, traffic)
    homes(Draws(seed, "homes"), who, traffic)
    bills(Draws(seed, "bills"), who, traffic)
    incomes(Draws(seed, "incomes"), who, traffic)
    transfers(Draws(seed, "transfers"), who, traffic)
    abroad(Draws(seed, "abroad"), who, traffic)


def cards(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add purchases, and refunds of one in eighty some days later."""
    people, days = who.people, who.form.days
    counts = draws.poisson(np.repeat(people.cards_a_day, days))
    person = np.repeat(np.repeat(np.arange(len(people.account)), days), counts)
    day = np.repeat(np.tile(np.arange(days), len(people.account)), counts)
    there = day >= people.opened[person]
    person, day = person[there], day[there]
    shop = who.shop(draws, person)
    category = who.category[shop]
    at = at_of(day, clock(draws, len(person)))
    amount = draws.amounts(len(person), MEDIANS_MINOR[category], 0.6)
    debtor, creditor = people.account[person], who.merchants[shop]
    traffic.add("purchase", debtor, creditor, amount, at, channel=CARD, category=category)
    back = np.flatnonzero(draws.chance(len(person), 1 / 80))
    late = at[back] + draws.between(len(back), 2 * DAY_US, 20 * DAY_US)
    part = np.where(draws.chance(len(back), 0.7), amount[back], (amount[back] + 1) // 2)
    traffic.add("refund", creditor[back], debtor[back], part, late, channel=FILE)


def homes(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add rent: to a landlord, or to an agent of many flats."""
    people = who.people
    tenants = np.flatnonzero(~people.dormant & draws.chance(len(people.account), 0.6))
    rent = rounded(draws, draws.amounts(len(tenants), people.income[tenants] * 0.33, 0.2), 0.6, 10_00)
    landlord = who.landlords[draws.below(len(tenants), len(who.landlords))]
    agent = who.agents[draws.below(len(tenants), len(who.agents))]
    to = np.where(draws.chance(len(tenants), 0.25), agent, landlord)
    place, day = monthly(1 + draws.below(len(tenants), 4), who.form.days)
    there = day >= people.opened[tenants[place]]
    place, day = place[there], day[there]
    at = at_of(day, clock(draws, len(place), OFFICE))
    traffic.add("rent", people.account[tenants[place]], to[place], rent[place], at, channel=STANDING)


def bills(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add utilities and subscriptions, drawn monthly on a day of their own."""
    people = who.people
    awake = np.flatnonzero(~people.dormant)
    for kind, payees, each, median, spread in (
        ("utility", who.utilities, 1, 78_00, 0.4),
        ("subscription", who.subscriptions, 2, 11_99, 0.5),
    ):
        person = np.repeat(awake, each)
        payee = payees[draws.below(len(person), len(payees))]
        amount = draws.amounts(len(person), median, spread)
        place, day = monthly(1 + draws.below(len(person), 28), who.form.days)
        there = day >= people.opened[person[place]]
        place, day = place[there], day[there]
        at = at_of(day, clock(draws, len(place), OFFICE))
        traffic.add(kind, people.account[person[place]], payee[place], amount[place], at, channel=DEBIT)


def incomes(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add salaries from employers with few people, and students' allowances from their parents.

    The larger employers are in `business`. A small firm pays all its people within some minutes.
    """
    people, days = who.people, who.form.days
    earners = np.flatnonzero(~people.dormant & ~people.student & draws.chance(len(people.account), 0.4))
    firm = draws.below(len(earners), len(who.small_firms))
    pays_on = 22 + draws.below(len(who.small_firms), 8)
    begins = clock(draws, len(who.small_firms), OFFICE)
    place, day = monthly(pays_on[firm], days)
    there = day >= people.opened[earners[place]]
    place, day = place[there], working(day[there])
    at = at_of(day, begins[firm[place]] + draws.below(len(place), HOUR_US // 3))
    debtor, creditor = who.small_firms[firm[place]], people.account[earners[place]]
    traffic.add("small_payroll", debtor, creditor, people.income[earners[place]], at, channel=FILE)

    students = np.flatnonzero(people.student)
    gift = rounded(draws, draws.amounts(len(students), 480_00, 0.3), 0.9, 50_00)
    place, day = monthly(1 + draws.below(len(students), 5), days)
    at = at_of(day, clock(draws, len(place)))
    traffic.add(
        "allowance", who.parents[place], people.account[students[place]], gift[place], at, channel=STANDING
    )


def transfers(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add transfers between friends and in families, to people at other banks, to own savings and back."""
    people, days = who.people, who.form.days
    awake = np.flatnonzero(~people.dormant)
    for kind, rate, median, spread in (
        ("friend", 0.022, 24_00, 0.8),
        ("outside", 0.016, 60_00, 1.1),
        ("savings", 0.012, 200_00, 0.9),
        ("savings_back", 0.005, 260_00, 0.9),
        ("family", 0.003, 500_00, 1.1),
        ("private_invoice", 0.004, 420_00, 1.0),
    ):
        person = np.repeat(awake, draws.poisson(np.full(len(awake), rate * days)))
        if kind.startswith("savings"):
            person = person[people.saves[person]]
        at = at_of(draws.below(len(person), days), clock(draws, len(person)))
        kept = at >= people.opened[person] * DAY_US
        person, at = person[kept], at[kept]
        own = people.account[person]
        amount = rounded(draws, draws.amounts(len(person), median, spread), 0.45, 5_00)
        friend = people.account[people.friends[person, draws.below(len(person), 6)]]
        # Some of the people outside are paid again and again: few of them belong to each person.
        known = (person * 7 + draws.below(len(person), 4)) % len(who.outside)
        anyone = draws.below(len(person), len(who.outside))
        outside = who.outside[np.where(draws.chance(len(person), 0.7), known, anyone)]
        outside = who.perhaps_new(draws, outside, 0.1)
        supplier = who.suppliers[draws.below(len(person), len(who.suppliers))]
        supplier = who.perhaps_new(draws, supplier, 0.35)
        relative = people.account[people.relatives[person]]
        debtor, creditor = {
            "friend": (own, friend),
            "outside": (own, outside),
            "savings": (own, people.savings[person]),
            "savings_back": (people.savings[person], own),
            "family": (own, np.where(draws.chance(len(person), 0.6), relative, outside)),
            "private_invoice": (own, supplier),
        }[kind]
        traffic.add(kind, debtor, creditor, amount, at, **people.pays(draws, person, at))


def abroad(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add payments in other currencies: families in Vietnam, shops in Japan and America.

    VND and JPY have no minor unit: 950,000 VND are some 35 EUR, 4,000 JPY some 24.
    """
    people, days = who.people, who.form.days
    awake = np.flatnonzero(~people.dormant & ~people.newcomer)
    for currency, country, share, a_month, median, spread in (
        (VND, VIETNAM, 0.015, 4.0, 950_000, 0.7),
        (JPY, JAPAN, 0.012, 4.0, 4_000, 0.9),
        (USD, AMERICA, 0.020, 3.0, 38_00, 0.9),
    ):
        senders = draws.some(awake, max(3, int(share * len(awake))))
        payees = who.accounts.new(3 * len(senders), country)
        person = np.repeat(np.arange(len(senders)), draws.poisson(np.full(len(senders), a_month * days / 30)))
        # Two days in five have more than one payment: to several of the family within the hour.
        more = np.where(draws.chance(len(person), 0.4), draws.between(len(person), 2, 4), 1)
        at = np.repeat(at_of(draws.below(len(person), days), clock(draws, len(person))), more)
        person = np.repeat(person, more)
        at = at + draws.below(len(at), HOUR_US)
        step = 50_000 if currency == VND else 100
        amount = rounded(draws, draws.amounts(len(person), median, spread), 0.6, step)
        payee = payees[3 * person + draws.below(len(person), 3)]
        sender = senders[person]
        traffic.add(
            "abroad", people.account[sender], payee, amount, at, currency=currency,
            **people.pays(draws, sender, at),
        )  # fmt: skip
