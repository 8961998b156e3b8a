"""Ordinary traffic of companies: payroll runs, invoices, sweeps, what merchants pay out, letting agents."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.population import Population
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US, SECOND_US
from tests.benchmarks.fraud_data.traffic import (
    DEBIT,
    FILE,
    MONTHS,
    OFFICE,
    WEB,
    Traffic,
    at_of,
    clock,
    monthly,
    working,
)

SMALLEST_PAYROLL = 50
WEEKLY_PAYROLL_MOST = 200


def add(seed: int, who: Population, traffic: Traffic) -> None:
    """Add all ordinary traffic of companies."""
    payrolls(Draws(seed, "payrolls"), who, traffic)
    invoices(Draws(seed, "invoices"), who, traffic)
    sweeps(Draws(seed, "sweeps"), who, traffic)
    payouts(Draws(seed, "payouts"), who, traffic)
    letting(Draws(seed, "letting"), who, traffic)


def payrolls(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add payroll runs: three companies of four monthly (50 to 2,000 payees), the others weekly (50 to 200).

    Half of the payees are customers. From one run to the next two in a hundred payees are new, and
    amounts of one in ten change. A run is a file: its payments come within minutes.
    """
    people, form = who.people, who.form
    earners = np.flatnonzero(~people.dormant & ~people.student & ~people.newcomer)
    for number, company in enumerate(who.companies):
        weekly = number % 4 == 3
        most = min(WEEKLY_PAYROLL_MOST, form.largest_payroll) if weekly else form.largest_payroll
        size = round(SMALLEST_PAYROLL * (most / SMALLEST_PAYROLL) ** float(draws.unit(1)[0]))
        at_home = people.account[draws.some(earners, size // 2)]
        payees = np.concatenate([at_home, who.accounts.new(size - len(at_home), None)])
        wage = draws.amounts(size, 640_00 if weekly else 2_700_00, 0.35)
        day_of_month, weekday = int(24 + draws.below(1, 6)[0]), int(draws.below(1, 5)[0])
        _, days = monthly(np.array([day_of_month]), form.days)
        runs = np.arange(weekday, form.days, 7) if weekly else np.sort(working(days))
        hour = clock(draws, 1, OFFICE)
        for day in runs:
            order = draws.order(size)
            step = int(draws.between(1, SECOND_US // 20, SECOND_US // 2)[0])
            at = day * DAY_US + hour + draws.below(1, HOUR_US // 2) + np.arange(size) * step
            traffic.add("payroll", company, payees[order], wage[order], at, channel=FILE)
            fresh = np.flatnonzero(draws.chance(size, 0.02))
            payees[fresh] = who.accounts.new(len(fresh), None)
            other = draws.chance(size, 0.1)
            wage = np.where(other, draws.amounts(size, wage, 0.08), wage)


def invoices(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add what firms and companies pay suppliers: mostly the same few, in runs on some days of the month.

    Amounts are those of trade: one in forty is between 8,500 and 10,000 by itself.
    """
    for payers, a_month, runs_a_month, median in (
        (who.small_firms, 8.0, 2, 640_00),
        (who.companies, 60.0, 4, 2_100_00),
    ):
        runs = np.arange(0, who.form.days, 30 // runs_a_month)
        counts = draws.poisson(np.full(len(payers) * len(runs), a_month / runs_a_month))
        payer = np.repeat(np.repeat(np.arange(len(payers)), len(runs)), counts)
        day = np.repeat(np.tile(runs, len(payers)), counts)
        day = working(np.minimum(day + payer % (30 // runs_a_month), who.form.days - 1))
        begins = clock(draws, len(payers), OFFICE)
        known = (payer * 11 + draws.below(len(payer), 15)) % len(who.suppliers)
        other = draws.below(len(payer), len(who.suppliers))
        supplier = who.suppliers[np.where(draws.chance(len(payer), 0.9), known, other)]
        at = at_of(day, begins[payer] + draws.below(len(payer), HOUR_US))
        amount = draws.amounts(len(payer), median, 1.1)
        traffic.add("invoice", payers[payer], supplier, amount, at, channel=WEB)


def sweeps(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add treasury sweeps: the day's balance to the group's account in the evening, and back next morning.

    What came in leaves within hours, and money comes back to where it was: honest all the same.
    """
    days = np.array([day for day in range(who.form.days - 1) if day % 7 < 4])
    for company in who.companies[::2]:
        (header,) = who.accounts.new(1)
        amount = draws.amounts(len(days), 64_000_00, 0.7)
        evening = days * DAY_US + 17 * HOUR_US + draws.below(len(days), HOUR_US // 4)
        morning = (days + 1) * DAY_US + 7 * HOUR_US + draws.below(len(days), HOUR_US // 4)
        traffic.add("sweep", company, header, amount, evening, channel=FILE)
        traffic.add("sweep_back", header, company, amount, morning, channel=FILE)


def payouts(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add what merchants do with what came in: half of them send it on to another bank, daily or weekly."""
    for number, merchant in enumerate(who.merchants[::2]):
        (own,) = who.accounts.new(1, None)
        days = np.arange(int(draws.below(1, 7)[0]), who.form.days, 1 if number % 12 == 0 else 7)
        amount = draws.amounts(len(days), 900_00, 0.6)
        at = days * DAY_US + 22 * HOUR_US + draws.below(len(days), HOUR_US)
        traffic.add("payout", merchant, own, amount, at, channel=FILE)


def letting(draws: Draws, who: Population, traffic: Traffic) -> None:
    """Add letting agents: rents that came in from the 1st to the 4th go to the owners on the 5th or 6th."""
    for number, agent in enumerate(who.agents):
        owners = who.owners[12 * number : 12 * number + 12]
        rent = draws.amounts(len(owners), 3_100_00, 0.5)
        fee = draws.amounts(1, 260_00, 0.2)
        for first in MONTHS:
            day = first + 4 + int(draws.below(1, 2)[0])
            if not 0 <= day < who.form.days:
                continue
            at = day * DAY_US + clock(draws, 1, OFFICE) + draws.below(len(owners), HOUR_US // 2)
            traffic.add("letting_agent", agent, owners, rent, at, channel=FILE)
            tax = at.max(initial=0) + np.array([HOUR_US])
            traffic.add("tax", agent, who.utilities[0], fee, tax, channel=DEBIT)
