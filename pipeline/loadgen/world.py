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
from pipeline.loadgen.plan import LoadPlan, Produce

CURRENCIES = (("EUR", ("DE", "FR", "NL")), ("USD", ("US", "CA")))
CATEGORIES = ("grocery", "fuel", "restaurant", "pharmacy", "clothing", "travel", "utilities")
CHANNELS = ("mobile", "web", "card", "branch")
INSTRUMENTS = ("ACME", "GLOBEX", "INITECH", "UMBRELLA", "HOOLI", "STARK")
STAFF_MAX = 6
"""Most employees of one employer: few, so that salaries do not look like a burst of payments."""


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
        """When all accounts were opened, event time."""
        self.communities = [
            Community(tenant, currency, countries, emitter.name("n"))
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
            yield self.open(community, community.nostro, "nostro", 0, limit=None)
            # Three customers of four use the tenant's first currency.
            tenants = len(self._plan.tenants)
            share = self._plan.accounts * (3 if number % 2 == 0 else 1) // (4 * tenants) + 1
            for _ in range(max(10, share // 20)):
                yield self._open_merchant(community)
            for _ in range(share // STAFF_MAX + 1):
                employer = self._emitter.name("f")
                community.employers.append(employer)
                yield self.open(community, employer, "checking", 50_000_000_00, limit=None)
            for _ in range(share):
                yield self._open_customer(community)
            for customer in community.customers:
                customer.friends = [self._rng.choice(community.customers).account_id for _ in range(3)]
            for _ in range(max(2, share // 50)):
                trader = self._emitter.name("t")
                community.traders.append(trader)
                yield self.open(community, trader, "investment", 0)

    def open(
        self, community: Community, account_id: str, kind: str, balance: int, limit: int | None = 0
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
        return self._emitter.event(
            "accounts",
            "ledgerflow.AccountOpened",
            version,
            community.tenant,
            account_id,
            self.opened_at,
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
            [],
            balance,
        )
        community.customers.append(customer)
        kind = "checking" if rng.random() < 0.85 else "savings"
        limit = rng.choice((0, 0, 0, 500_00))
        return self.open(community, account_id, kind, balance, limit)
