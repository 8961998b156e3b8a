"""What each tenant may do, as the operator set it in a file: currencies, payments a second, open or closed.

    [default]                        for tenants that do not set it themselves
    payments_per_second = 200
    burst = 1000

    [tenants.north]
    currencies = ["EUR", "CHF"]      accounts may be opened in these only
    payments_per_second = 2000

    [tenants.north.four_eyes]        these commands need two people
    reviews = { EUR = 1000000 }      letting a held payment of this amount or more go on, minor units
    corrections = true               reversals of journals and payments
    limits = true                    account_limit_set

    [tenants.north.breaks]           breaks of reconciliation, by currency, minor units (`break_rules`)
    immaterial_below = { EUR = 500 }
    material_from = { EUR = 100000 }
    write_off_accounts = { EUR = "write-offs-eur" }

    [tenants.south]                  texts that are encrypted at the door (`pipeline/personal/fields.py`)
    personal = ["payment_initiated.reference", "statement_line.description"]

    [tenants.try]                    it can be wiped: its accounts are those of its present generation
    sandbox = true
    payments_per_second = 10

    [tenants.old]
    closed = true                    no new payments and accounts; payments in progress still finish

Without a file, or without a setting, nothing is restricted. `closed` in the default closes every tenant that
the file does not name; that and `sandbox` are the settings that named tenants do not inherit.

A generation of a sandbox is a tenant of its own in the log, `try~5f1c...`, with the sandbox's settings.

Decisions depend on this file, so all workers must have the same one. `version` names it: a
hash of the values, so that a comment or the order of a file changes nothing, and any other value does;
but `personal`, by which no stream decides.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.settings import ConceptSettings
from pipeline.domain.tenants.break_rules import NO_RULES, BreakRules

FORMULA_REVISION = 1
"""Increased when the meaning of a setting changes without a change of its value."""
AMOUNT_MAX = 2**63 - 1
GENERATION_SIGN = "~"
"""Between the name of a sandbox and that of its generation."""
GENERATION_CHARS_MAX = 16
PER_SECOND_MAX = BURST_MAX = 1_000_000_000
"""Upper bounds, so that a bucket fits into 64 bits."""


class TenantsSettings(ConceptSettings, frozen=True, rename={"file": "tenants"}):
    """The path of the operator's file of tenants."""

    file: Annotated[
        PurePath | None, Meta(description="Quotas and currencies of tenants, TOML; none by default.")
    ] = None


SETTINGS = TenantsSettings


class TenantsError(ValueError):
    """The text is not a valid file of tenants; the message names the setting and the error."""


class FourEyes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which commands of a tenant need two people."""

    reviews: dict[str, int] = {}
    """By currency: the approval of a held payment of this amount or more, minor units."""
    corrections: bool = False
    """Reversals of journals and payments."""
    limits: bool = False
    """Limits of accounts."""

    def __post_init__(self) -> None:
        for code, amount in self.reviews.items():
            if not re.fullmatch("[A-Z]{3}", code):
                raise ValueError(f"four_eyes: reviews: {code!r} is no ISO 4217 code, such as EUR")
            if not 0 <= amount <= AMOUNT_MAX:
                raise ValueError(f"four_eyes: reviews: {code} must be from 0 to {AMOUNT_MAX}, not {amount}")

    def review_needs_two(self, currency: str, amount_minor: int) -> bool:
        """Whether two people must let a payment of an amount go on that is held for a review."""
        least = self.reviews.get(currency)
        return least is not None and amount_minor >= least


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of one tenant. None: the value of the default; in the default itself: not restricted."""

    currencies: tuple[str, ...] | None = None
    """ISO 4217 codes."""
    payments_per_second: int | None = None
    """By event time, all partitions together."""
    burst: int | None = None
    """Payments that may come at once after a pause; as many as a second's, if not set."""
    closed: bool = False
    """It takes no new payments and accounts; what is under way still ends."""
    four_eyes: FourEyes | None = None
    """Which commands need two people; a tenant has its own table or the default's, not a mixture."""
    personal: tuple[str, ...] | None = None
    """Texts of events that the gateway encrypts, such as payment_initiated.reference."""
    breaks: BreakRules | None = None
    """Which breaks matter, and where write-offs are booked; a table of its own, or the default's."""
    sandbox: bool = False
    """It can be wiped: what was written is of a generation, after which comes another."""

    def __post_init__(self) -> None:
        for name, most in (("payments_per_second", PER_SECOND_MAX), ("burst", BURST_MAX)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise ValueError(f"{name} must be from 1 to {most}, not {value}")
        for code in self.currencies or ():
            if not re.fullmatch("[A-Z]{3}", code):
                raise ValueError(f"currencies: {code!r} is no ISO 4217 code, such as EUR")
        if self.currencies is not None and not self.currencies:
            raise ValueError("currencies must name one at least; `closed = true` lets a tenant do nothing")


class Tenants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """The settings of all tenants."""

    default: Tenant = Tenant()
    tenants: dict[str, Tenant] = {}

    def __post_init__(self) -> None:
        for name in self.tenants:
            if not name or len(name) > ID_CHARS_MAX or "\0" in name or "/" in name:
                raise ValueError(f"{name!r} cannot be a tenant's id")
        if self.default.sandbox:
            raise ValueError("default: sandbox is said of a tenant by its name")
        for name in self.sandboxes:
            if GENERATION_SIGN in name or len(name) + 1 + GENERATION_CHARS_MAX > ID_CHARS_MAX:
                raise ValueError(f"{name!r} cannot be a sandbox: it is too long, or has {GENERATION_SIGN}")
            if self.of(name).payments_per_second is None:
                raise ValueError(f"{name}: a sandbox needs payments_per_second: what it writes is kept")
        for name, tenant in {"default": self.default, **self._complete}.items():
            if tenant.burst is not None and tenant.payments_per_second is None:
                raise ValueError(f"{name}: burst without payments_per_second")

    @cached_property
    def _complete(self) -> dict[str, Tenant]:
        """The settings of the named tenants, with those inherited from the default."""
        return {name: _with_defaults(tenant, self.default) for name, tenant in self.tenants.items()}

    def of(self, tenant_id: str) -> Tenant:
        """Return the settings of a tenant, of a generation those of its sandbox."""
        found = self._complete.get(tenant_id)
        return self._complete.get(self.base_of(tenant_id), self.default) if found is None else found

    @cached_property
    def sandboxes(self) -> frozenset[str]:
        """The tenants that can be wiped."""
        return frozenset(name for name, tenant in self.tenants.items() if tenant.sandbox)

    def base_of(self, tenant_id: str) -> str:
        """Return the sandbox of which a tenant is a generation; of any other tenant itself."""
        name, sign, _ = tenant_id.partition(GENERATION_SIGN)
        return name if sign and name in self.sandboxes else tenant_id

    def break_rules(self, tenant_id: str) -> BreakRules:
        """Return what a tenant says about the breaks of its reconciliation."""
        return self.of(tenant_id).breaks or NO_RULES

    def review_needs_two(self, tenant_id: str, currency: str, amount_minor: int) -> bool:
        """Whether two people must let a payment of an amount go on that is held for a review."""
        rules = self.of(tenant_id).four_eyes
        return rules is not None and rules.review_needs_two(currency, amount_minor)

    def review_may_need_two(self, tenant_id: str, amount_minor: int) -> bool:
        """Whether two people must do so in some currency."""
        rules = self.of(tenant_id).four_eyes
        return rules is not None and any(amount_minor >= least for least in rules.reviews.values())

    @cached_property
    def some_reviews_need_two(self) -> bool:
        """Whether there is a tenant of which some reviews need two people."""
        rules = [tenant.four_eyes for tenant in (self.default, *self._complete.values())]
        return any(one is not None and one.reviews for one in rules)

    @property
    def version(self) -> str:
        """A short name of these values, the same wherever they were read from."""
        content = msgspec.json.encode(_without_nothing_new(msgspec.to_builtins(self)), order="sorted")
        return f"{FORMULA_REVISION}-{hashlib.sha256(content).hexdigest()[:12]}"


UNRESTRICTED = Tenants()


def _with_defaults(tenant: Tenant, default: Tenant) -> Tenant:
    """Return a tenant's settings with missing ones from the default; `burst` only if it has no own rate."""
    rate, burst = tenant.payments_per_second, tenant.burst
    if rate is None:
        rate, burst = default.payments_per_second, default.burst if burst is None else burst
    currencies = default.currencies if tenant.currencies is None else tenant.currencies
    four_eyes = default.four_eyes if tenant.four_eyes is None else tenant.four_eyes
    breaks = default.breaks if tenant.breaks is None else tenant.breaks
    personal = default.personal if tenant.personal is None else tenant.personal
    return Tenant(
        currencies=currencies,
        payments_per_second=rate,
        burst=burst,
        closed=tenant.closed,
        four_eyes=four_eyes,
        breaks=breaks,
        personal=personal,
        sandbox=tenant.sandbox,
    )


def _without_nothing_new(told: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a file without `personal`, and without what is newer where it says nothing.

    So a file that an earlier version has read keeps its name, and workers of both versions agree on it.
    """
    for tenant in (told["default"], *told["tenants"].values()):
        del tenant["personal"]
        for newer in ("four_eyes", "breaks", "sandbox"):
            if tenant[newer] in (None, False):
                del tenant[newer]
    return told


def account_refusal(tenants: Tenants, tenant_id: str, currency: str) -> str | None:
    """Return the result code if a tenant may not open an account in a currency, None if it may."""
    tenant = tenants.of(tenant_id)
    if tenant.closed:
        return "tenant_closed"
    if tenant.currencies is not None and currency not in tenant.currencies:
        return "currency_not_allowed"
    return None


def parse_tenants(text: str) -> Tenants:
    """Return the settings in a TOML text. Raises TenantsError."""
    try:
        return msgspec.convert(msgspec.toml.decode(text), Tenants)
    except (msgspec.DecodeError, ValueError) as error:
        raise TenantsError(_explain(str(error))) from error


def _explain(message: str) -> str:
    """Return the message, with the nearest known name where a setting or table is unknown."""
    unknown = re.search(r"unknown field `(.+?)`(.*)", message)
    if unknown is None:
        return message
    name, where = unknown.groups()
    known = (Tenant if where else Tenants).__struct_fields__
    near = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"
    return f"unknown setting `{name}`{where}{hint}"
