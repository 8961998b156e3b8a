"""The people and accounts of a run: customers with habits, merchants, employers, nostros, traders.

A community is a tenant and a currency: its members only pay each other, as a payment has one currency.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import DAY_US, LoadPlan, Produce

CURRENCIES = (("EUR", ("DE", "FR", "NL")), ("USD", ("US", "CA")))
RATE_E8 = 108_000_000
"""How much of the second currency one unit of the first is, times 10^8."""
CATEGORIES = ("grocery", "fuel", "restaurant", "pharmacy", "clothing", "travel", "utilities")
CHANNELS = ("mobile", "web", "card", "branch")
INSTRUMENTS = ("ACME", "GLOBEX", "INITECH", "UMBRELLA", "HOOLI", "STARK")
STAFF_MAX = 6
"""Most employees of one employer for each of whom there is a customer at the beginning."""
CUSTOMERS_MIN = 12
"""Customers of a community: enough for a story in which many pay one account."""
OPEN_FOR_DAYS = (15, 22)
"""How long before the run accounts were opened: they are not new any more. Nothing was paid before the run,
so they must not look dormant in its first week."""


@dataclass
class Customer:
    """Someone with an account and habits. `balance` is the generator's estimate, minor units."""

    account_id: str
    customer_id: str
    country: str
    device: str
    usual: list[Merchant]
    landlord: str
    rent_minor: int
    subscription_minor: int
    friends: list[str]
    balance: int


@dataclass
class Merchant:
    """An account that customers pay."""

    account_id: str
    country: str
    category: str
    basket_minor: int
    """A usual amount, minor units."""


@dataclass
class Community:
    """The accounts of one tenant in one currency."""

    tenant: str
    currency: str
    countries: tuple[str, ...]
    nostro: str
    backer: str
    """The account that gave merchants their first money."""
    customers: list[Customer] = field(default_factory=list)
    merchants: list[Merchant] = field(default_factory=list)
    employers: list[str] = field(default_factory=list)
    traders: list[str] = field(default_factory=list)


class World:
    """All communities. `open_all` yields the records that open every account."""

    def __init__(self, plan: LoadPlan, rng: Random, emitter: Emitter) -> None:
        self._plan = plan
        self._rng = rng
        self._emitter = emitter
        self.opened_at = plan.start
        """When the run begins: by then all accounts are open, event time."""
        self.communities = [
            Community(tenant, currency, countries, emitter.name("n"), emitter.name("b"))
            for tenant in plan.tenants
            for currency, countries in CURRENCIES
        ]

    def apart(self, rng: Random, emitter: Emitter) -> World:
        """Return the same people for one who opens more accounts, by a chance and with ids of its own."""
        other = copy.copy(self)
        other._rng, other._emitter = rng, emitter
        return other

    def open_all(self) -> Iterator[Produce]:
        """Yield account_opened for everyone, v1 and v2 mixed; nostros and employers have no limit."""
        for number, community in enumerate(self.communities):
            yield self.open(community, community.nostro, "nostro", 0, None, "treasury")
            yield self.open(community, community.backer, "checking", 0, None, "payroll")
            # Three customers of four use the tenant's first currency.
            tenants = len(self._plan.tenants)
            share = self._plan.accounts * (3 if number % 2 == 0 else 1) // (4 * tenants) + 1
            share = max(share, CUSTOMERS_MIN)
            for _ in range(max(10, share // 20)):
                yield self._open_merchant(community)
            for _ in range(share // STAFF_MAX + 1):
                employer = self._emitter.name("f")
                community.employers.append(employer)
                yield self.open(community, employer, "checking", 50_000_000_00, None, "payroll")
            for _ in range(share):
                yield self._open_customer(community)
            for customer in community.customers:
                self._befriend(community, customer)
            for _ in range(max(2, share // 50)):
                trader = self._emitter.name("t")
                community.traders.append(trader)
                yield self.open(community, trader, "investment", 0)

    def join(self, number: int) -> tuple[Produce, Community, Customer]:
        """Open the account of customer `number` who comes later; return its record and who it is."""
        # As at the beginning, three of four use the first currency.
        place = number % len(self._plan.tenants) * len(CURRENCIES) + (
            number // len(self._plan.tenants) % 4 == 3
        )
        community = self.communities[place]
        opened = self._open_customer(community)
        self._befriend(community, community.customers[-1])
        return opened, community, community.customers[-1]

    def _befriend(self, community: Community, customer: Customer) -> None:
        customer.friends = [self._rng.choice(community.customers).account_id for _ in range(3)]

    def open(
        self,
        community: Community,
        account_id: str,
        kind: str,
        balance: int,
        limit: int | None = 0,
        segment: str | None = None,
    ) -> Produce:
        """Return account_opened: of version 1 in 40% of the cases where its fields suffice."""
        version = 1 if limit == 0 and self._rng.random() < 0.4 else 2
        fields: dict[str, Any] = {
            "account_id": account_id,
            "customer_id": f"customer-{account_id}",
            "account_type": kind,
            "currency": community.currency,
            "initial_balance_minor": balance,
        }
        if version == 2:
            institutional = limit is None
            fields["regulatory_tier"] = "institutional" if institutional else "retail"
            fields["compliance_flags"] = ["kyc_complete"] if self._rng.random() < 0.9 else []
            fields["overdraft_limit_minor"] = limit
        if segment is not None:
            version = 3
            fields |= {"actor": None, "metadata": {"segment": segment}}
        return self._emitter.event(
            "accounts",
            "ledgerflow.AccountOpened",
            version,
            community.tenant,
            account_id,
            self.opened_at - self._rng.randrange(*OPEN_FOR_DAYS) * DAY_US,
            fields,
        )

    def _open_merchant(self, community: Community) -> Produce:
        rng = self._rng
        account_id = self._emitter.name("m")
        country, category = rng.choice(community.countries), rng.choice(CATEGORIES)
        community.merchants.append(Merchant(account_id, country, category, rng.randrange(4_00, 80_00)))
        return self.open(community, account_id, "merchant", 0)

    def _open_customer(self, community: Community) -> Produce:
        rng = self._rng
        account_id = self._emitter.name("c")
        usual = rng.sample(community.merchants, 4)
        balance = rng.randrange(5_000_00, 25_000_00)
        customer = Customer(
            account_id,
            f"customer-{account_id}",
            usual[0].country,
            f"device-{account_id}",
            usual,
            rng.choice(community.merchants).account_id,
            rng.randrange(450_00, 1_400_00, 7),
            rng.randrange(4_99, 39_99, 50),
            [],
            balance,
        )
        community.customers.append(customer)
        kind = "checking" if rng.random() < 0.85 else "savings"
        limit = rng.choice((0, 0, 0, 500_00))
        return self.open(community, account_id, kind, balance, limit)
