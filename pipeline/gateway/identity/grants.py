"""Grants: who has which role in which tenant, until when. They are asked at every request.

A grant is for a person or for a program, never for both: an access token that a person's browser could get
must not do without a second factor what the person needs one for.
"""

from __future__ import annotations

import secrets
import time
from typing import Literal, NamedTuple

import msgspec

from pipeline.domain.fraud.expressions.problems import did_you_mean
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.gateway.identity.principal import EVERY_TENANT, PrincipalError, check_name
from pipeline.gateway.identity.store import Entry, Store
from pipeline.gateway.policy.policy import Policy

KIND = "grant"
DAYS_MAX = 3_660
DAY_US = 86_400_000_000
OF_ONE_MAX = 100
ACCOUNTS_MAX = 200
WITHOUT_END = 9_000_000_000_000_000
"""The year 2255."""
ADMINISTRATOR = "administrator"
Of = Literal["person", "program"]


class GrantRefused(ValueError):
    """A grant cannot be made as it is asked for. The text is one line."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A role in a tenant. Times are microseconds UTC."""

    grant_id: str
    issuer: str
    subject: str
    of: Of
    tenant: str
    """Or EVERY_TENANT."""
    role: str
    accounts: list[str] = []
    """Of a customer: the own accounts."""
    made_at: int
    made_by: str
    expires_at: int | None
    """None: it need not end."""


class Held(NamedTuple):
    """What somebody holds now."""

    roles: dict[str, frozenset[str]]
    """By tenant."""
    accounts: dict[str, frozenset[str]]
    """By tenant."""
    ends_at: int
    """When the first of these roles ends, microseconds UTC."""


class Grants:
    """The grants of a store, as the policy allows them."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store, self._policy = store, policy

    async def add(
        self,
        issuer: str,
        subject: str,
        of: Of,
        tenant: str,
        role: str,
        *,
        days: int | None = None,
        accounts: list[str] | None = None,
        made_by: str,
    ) -> Grant:
        """Give a role for so many days, or without an end. Raises GrantRefused, StoreFull, OSError."""
        self._require_allowed(issuer, subject, tenant, role, days, accounts or [])
        owner = owner_of(issuer, subject)
        if len(await self._store.entries(KIND, owner)) >= OF_ONE_MAX:
            raise GrantRefused(f"{subject} has {OF_ONE_MAX} grants already: remove some")
        now = time.time_ns() // 1_000
        made = Grant(
            grant_id=secrets.token_hex(6),
            issuer=issuer,
            subject=subject,
            of=of,
            tenant=tenant,
            role=role,
            accounts=accounts or [],
            made_at=now,
            made_by=made_by,
            expires_at=None if days is None else now + days * DAY_US,
        )
        ends_at = made.expires_at or WITHOUT_END
        await self._store.put(KIND, Entry(made.grant_id, owner, msgspec.json.encode(made), ends_at))
        return made

    def _require_allowed(
        self, issuer: str, subject: str, tenant: str, role: str, days: int | None, accounts: list[str]
    ) -> None:
        try:
            check_name("issuer", issuer)
            check_name("subject", subject)
        except PrincipalError as error:
            raise GrantRefused(str(error)) from None
        known = self._policy.roles
        if role not in known:
            raise GrantRefused(f"there is no role {role!r}{did_you_mean(role, known)}")
        if not 1 <= len(tenant) <= ID_CHARS_MAX or (EVERY_TENANT in tenant and tenant != EVERY_TENANT):
            raise GrantRefused(f"{tenant!r} is no tenant's id, and not {EVERY_TENANT} for all")
        most = known[role].grant_days_max
        if days is None and most is not None:
            raise GrantRefused(f"the role {role} is given for {most} days at most: say for how many")
        if days is not None and not 1 <= days <= (most or DAYS_MAX):
            raise GrantRefused(f"the role {role} is given for 1 to {most or DAYS_MAX} days, not {days}")
        if len(accounts) > ACCOUNTS_MAX:
            raise GrantRefused(f"a grant names {ACCOUNTS_MAX} accounts at most")
        if bool(accounts) != known[role].own_accounts:
            needs = "needs the own accounts" if known[role].own_accounts else "has no own accounts"
            raise GrantRefused(f"the role {role} {needs}")

    async def held(self, issuer: str, subject: str, of: Of) -> Held:
        """Return what a person or program holds now. Raises OSError."""
        roles: dict[str, set[str]] = {}
        accounts: dict[str, set[str]] = {}
        ends_at, now = WITHOUT_END, time.time_ns() // 1_000
        for entry in await self._store.entries(KIND, owner_of(issuer, subject)):
            grant = _grant(entry)
            end = self._end(grant)
            if grant.of != of or end <= now:
                continue
            ends_at = min(ends_at, end)
            roles.setdefault(grant.tenant, set()).add(grant.role)
            accounts.setdefault(grant.tenant, set()).update(grant.accounts)
        return Held(_frozen(roles), _frozen(accounts), ends_at)

    def _end(self, grant: Grant) -> int:
        """Return when a grant ends: not later than the policy allows now, whatever it allowed then."""
        role = self._policy.roles.get(grant.role)
        most = None if role is None else role.grant_days_max
        latest = WITHOUT_END if most is None else grant.made_at + most * DAY_US
        return min(latest, grant.expires_at or WITHOUT_END)

    async def all(self) -> list[Grant]:
        """Return all grants that have not ended, the newest first. Raises OSError."""
        found = [_grant(entry) for entry in await self._store.entries(KIND)]
        return sorted(found, key=lambda grant: grant.made_at, reverse=True)

    async def remove(self, grant_id: str) -> bool:
        """Take a role away at once; return whether there was such a grant. Raises OSError."""
        return await self._store.delete(KIND, grant_id)

    async def has_administrator(self) -> bool:
        """Return whether a person is administrator of every tenant. Raises OSError."""
        now = time.time_ns() // 1_000
        return any(
            grant.role == ADMINISTRATOR
            and grant.of == "person"
            and grant.tenant == EVERY_TENANT
            and self._end(grant) > now
            for grant in await self.all()
        )


def owner_of(issuer: str, subject: str) -> str:
    """Return the owner of what belongs to somebody in a store."""
    return msgspec.json.encode([issuer, subject]).decode()


def _grant(entry: Entry) -> Grant:
    return msgspec.json.decode(entry.value, type=Grant)


def _frozen(given: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {tenant: frozenset(names) for tenant, names in given.items()}
