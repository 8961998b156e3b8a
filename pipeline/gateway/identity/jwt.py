"""Programs that come with a JWT of the provider (an access token, RFC 9068), instead of an API key.

Their roles are the grants of (issuer, subject) for programs, or stand in the claim that a setting names, as
`tenant:role`. An id token of a person is none: its audience is another.
"""

from __future__ import annotations

import time

import msgspec

from pipeline.gateway.identity.grants import Grants
from pipeline.gateway.identity.principal import NAME_CHARS_MAX, Principal
from pipeline.gateway.identity.provider import Provider, ProviderUnavailable, unavailable
from pipeline.gateway.identity.tokens import Claims, TokenRefused, verified

TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
ROLES_MAX = 100


class Programs:
    """Programs that one provider vouches for."""

    def __init__(self, provider: Provider, audience: str, grants: Grants, roles_claim: str = "") -> None:
        """`roles_claim`: empty where the grants say the roles."""
        self._provider, self._audience, self._grants = provider, audience, grants
        self._roles_claim = roles_claim

    async def principal(self, token: str) -> Principal:
        """Return the program of a token. Raises TokenRefused; Problem 503 while its key cannot be fetched."""
        try:
            claims = await verified(self._provider, token, self._audience, TYPES)
        except ProviderUnavailable as error:
            raise unavailable(error) from None
        client = claims.all.get("client_id") or claims.all.get("azp") or claims.subject
        if not isinstance(client, str) or len(client) > NAME_CHARS_MAX or not client.isprintable():
            raise TokenRefused("its client has no name")
        asks = Principal(
            issuer=self._provider.issuer,
            subject=claims.subject,
            key_id=client,
            expires_at=claims.expires_at_s * 1_000_000,
        )
        if self._roles_claim:
            return msgspec.structs.replace(asks, roles=_roles(claims, self._roles_claim))
        return await self._with_roles(asks)

    async def again(self, principal: Principal) -> Principal | None:
        """Return a program with the roles that it has now, None where its token is over."""
        if time.time_ns() // 1_000 >= principal.expires_at:
            return None
        return principal if self._roles_claim else await self._with_roles(principal)

    async def _with_roles(self, asks: Principal) -> Principal:
        held = await self._grants.held(asks.issuer, asks.subject, "program")
        ends_at = min(asks.expires_at, held.ends_at)
        return msgspec.structs.replace(asks, roles=held.roles, accounts=held.accounts, expires_at=ends_at)


def _roles(claims: Claims, name: str) -> dict[str, frozenset[str]]:
    """Return the roles of a claim by tenant. Raises TokenRefused."""
    given = claims.all.get(name, [])
    if (
        not isinstance(given, list)
        or len(given) > ROLES_MAX
        or not all(isinstance(one, str) for one in given)
    ):
        raise TokenRefused("its roles are no list of tenant:role")
    found: dict[str, set[str]] = {}
    for one in given:
        tenant, _, role = one.partition(":")
        if tenant and role:
            found.setdefault(tenant, set()).add(role)
    return {tenant: frozenset(roles) for tenant, roles in found.items()}
