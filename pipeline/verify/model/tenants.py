"""What tenants may do, as the models have it: quotas in exact fractions, currencies, who is closed.

It reads the file of the workers and knows what the README says of it; it shares no code with the product.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

SECOND_US = 1_000_000
LATE_US = 10 * SECOND_US
"""Event time counts as at most so long before Kafka's."""
LAYOUT = b"\1"
GATE_CODES = ("quota_exceeded", "tenant_closed")
"""Why a payment is refused before it is decided."""
ACCOUNT_CODES = ("tenant_closed", "currency_not_allowed")
"""Why an account is not opened."""


@dataclass
class Tenants:
    """The settings of a file of tenants; none without one."""

    text: str = ""
    told: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.told = tomllib.loads(self.text)

    def setting(self, tenant: str, name: str) -> Any:
        """Return what counts for a tenant, None where nothing is said."""
        default, named = self.told.get("default", {}), self.told.get("tenants", {})
        own = named.get(tenant)
        if own is None and named.get(sandbox := tenant.split("~")[0], {}).get("sandbox"):
            own = named[sandbox]
        if own is None:
            return default.get(name)
        if name == "closed" or (name == "burst" and "payments_per_second" in own):
            return own.get(name)
        return own.get(name, default.get(name))

    def account_refusal(self, tenant: str, currency: str) -> str | None:
        """Return why an account may not be opened."""
        if self.setting(tenant, "closed"):
            return "tenant_closed"
        allowed = self.setting(tenant, "currencies")
        return None if allowed is None or currency in allowed else "currency_not_allowed"


@dataclass
class Buckets:
    """What is left of every tenant's quota on one partition: payments, and as of when."""

    partitions: int
    left: dict[str, tuple[Fraction, int]] = field(default_factory=dict)

    def refusal(
        self, tenants: Tenants, tenant: str, occurred_us: int, recorded_us: int, payments: int = 1
    ) -> str | None:
        """Return why so many payments may not be initiated together, and count them."""
        if tenants.setting(tenant, "closed"):
            return "tenant_closed"
        rate = tenants.setting(tenant, "payments_per_second")
        if rate is None:
            return None
        burst = tenants.setting(tenant, "burst") or rate
        full = max(Fraction(1), Fraction(burst, self.partitions))
        at_us = sorted((recorded_us - LATE_US, occurred_us, recorded_us))[1]
        tokens, since_us = self.left.get(tenant, (full, at_us))
        at_us = max(at_us, since_us)
        tokens = min(full, tokens + Fraction((at_us - since_us) * rate, SECOND_US * self.partitions))
        enough = tokens >= payments
        self.left[tenant] = (tokens - payments if enough else tokens), at_us
        return None if enough else "quota_exceeded"

    def row(self, tenant: str) -> bytes | None:
        """Return a tenant's row: millionths of a payment times the partitions, and the time."""
        if tenant not in self.left:
            return None
        tokens, at_us = self.left[tenant]
        units = tokens * SECOND_US * self.partitions
        assert units.denominator == 1
        return LAYOUT + b"".join(number.to_bytes(8, "big", signed=True) for number in (int(units), at_us))
