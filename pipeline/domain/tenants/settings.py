"""What each tenant may do, as the operator set it in a file: currencies, payments a second, open or closed.

    [default]                        for tenants that do not set it themselves
    payments_per_second = 200
    burst = 1000

    [tenants.north]
    currencies = ["EUR", "CHF"]      accounts may be opened in these only
    payments_per_second = 2000

    [tenants.old]
    closed = true                    no new payments and accounts; payments in progress still finish

Without a file, or without a setting, nothing is restricted. `closed` in the default closes every tenant that
the file does not name; it is the one setting that named tenants do not inherit.

Decisions depend on this file, so all workers must have the same one. `version` names it: a
hash of the values, so that a comment or the order of a file changes nothing, and any other value does.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from functools import cached_property
from pathlib import PurePath
from typing import Annotated

import msgspec
from msgspec import Meta

from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.settings import ConceptSettings

FORMULA_REVISION = 1
"""Increased when the meaning of a setting changes without a change of its value."""
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
        for name, tenant in {"default": self.default, **self._complete}.items():
            if tenant.burst is not None and tenant.payments_per_second is None:
                raise ValueError(f"{name}: burst without payments_per_second")

    @cached_property
    def _complete(self) -> dict[str, Tenant]:
        """The settings of the named tenants, with those inherited from the default."""
        return {name: _with_defaults(tenant, self.default) for name, tenant in self.tenants.items()}

    def of(self, tenant_id: str) -> Tenant:
        """Return the settings of a tenant."""
        return self._complete.get(tenant_id, self.default)

    @property
    def version(self) -> str:
        """A short name of these values, the same wherever they were read from."""
        content = msgspec.json.encode(self, order="sorted")
        return f"{FORMULA_REVISION}-{hashlib.sha256(content).hexdigest()[:12]}"


UNRESTRICTED = Tenants()


def _with_defaults(tenant: Tenant, default: Tenant) -> Tenant:
    """Return a tenant's settings with missing ones from the default; `burst` only if it has no own rate."""
    rate, burst = tenant.payments_per_second, tenant.burst
    if rate is None:
        rate, burst = default.payments_per_second, default.burst if burst is None else burst
    currencies = default.currencies if tenant.currencies is None else tenant.currencies
    return Tenant(currencies=currencies, payments_per_second=rate, burst=burst, closed=tenant.closed)


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
