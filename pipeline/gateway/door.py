"""The door: who enters, whether they may, and that it is written down.

    request -> who -> limits -> signature -> policy -> what is asked for -> access-log -> answer

Every route goes through `Door.entered`. What was refused is written down as what was granted is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Container, Mapping
from typing import Any, NamedTuple, Protocol

import aiohttp
import msgspec
from fastapi import FastAPI, Request, Response

from pipeline.domain.kernel.events import Actor
from pipeline.gateway.access_log import AccessLog
from pipeline.gateway.commands.claims import Claims
from pipeline.gateway.commands.decisions import Decisions
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.identity.signatures import Signatures
from pipeline.gateway.limits import Limits
from pipeline.gateway.log.hearing import Hearing
from pipeline.gateway.policy.policy import Policy
from pipeline.gateway.problems import Outcome, Problem


class Who(Protocol):
    """Finds out who asks."""

    async def __call__(self, request: Request) -> Principal:
        """Return who asks. Raises Problem 400 and 401."""

    async def again(self, principal: Principal) -> Principal | None:
        """Return a principal as of now, None where its credential is over or revoked."""


_WHY = {
    "expired": "the credential has expired: sign in again",
    "second_factor_required": "a second factor is required",
    "step_up_required": "show a second factor again: this needs a fresh one",
    "out_of_scope": "the key is limited to other things",
    "forbidden_to_role": "a role of yours forbids it",
    "account_not_own": "it is not your account",
    "account_required": "name one of your accounts",
}
"""What a refusal of the policy means, by its code."""


class Door(NamedTuple):
    """What every route needs."""

    name: str
    """Eight hex digits that this process alone has."""
    who: Who
    limits: Limits
    signatures: Signatures
    policy: Policy
    claims: Claims
    decisions: Decisions
    protection: Protection
    hearing: Hearing
    access_log: AccessLog
    app: FastAPI
    view_urls: tuple[str, ...]
    """Base URLs of workers; any of them answers for all."""
    base_of: Callable[[str], str] = lambda tenant: tenant
    """Of a tenant the one whose roles and limits count: of a sandbox's generation the sandbox."""

    @property
    def views(self) -> aiohttp.ClientSession:
        """The client for the workers' views, while the application runs."""
        client: aiohttp.ClientSession = self.app.state.views
        return client

    @contextlib.asynccontextmanager
    async def entered(self, request: Request, tenant: str, permission: str) -> AsyncIterator[Entry]:
        """Let somebody do what needs a permission; write it down when it is done.

        Raises Problem 401 for nobody, 403 for who may not, 429 for who comes too often, and whatever is
        raised inside.
        """
        principal = await self.limits.identified(request, self.who)
        base = self.base_of(tenant)
        await self.limits.take(request, principal, base)
        actor = principal.actor(self.policy.version)
        entry = Entry(self, principal, actor, tenant, permission)
        outcome = Outcome()
        try:
            with outcome:
                await self.signatures.require(request, principal, base)
                entry.require()
                yield entry
                outcome.status = entry.status
        finally:
            said = outcome.status, outcome.code, entry.request_id
            await self.access_log.record(request, actor, tenant, permission, *said)


class Entry:
    """Somebody who has entered, for one thing."""

    def __init__(self, door: Door, principal: Principal, actor: Actor, tenant: str, permission: str) -> None:
        self._door = door
        self.principal = principal
        self.actor = actor
        self.tenant = tenant
        self._base = door.base_of(tenant)
        self.permission = permission
        self.request_id: str | None = None
        self.status = 200

    def require(self) -> None:
        """Check that the principal may do it with some account. Raises Problem 403."""
        self._require(None, {"account_required"})

    def require_also(self, permission: str) -> None:
        """Check that the principal may do another thing, too. Raises Problem 403."""
        self._require(None, {"account_required"}, permission)

    def require_account(self, account: str | None) -> None:
        """Check that the principal may do it with an account, or with all (None). Raises Problem 403."""
        self._require(account, frozenset())

    async def is_still_allowed(self, account: str | None) -> bool:
        """Return whether the principal may still do it: the credential is in force, and so are the roles."""
        principal = await self._door.who.again(self.principal)
        if principal is None:
            return False
        self.principal = principal
        now = time.time_ns() // 1_000
        return self._door.policy.allows(principal, self._base, self.permission, account, now=now).allowed

    def _require(self, account: str | None, later: Container[str], permission: str = "") -> None:
        now = time.time_ns() // 1_000
        decision = self._door.policy.allows(
            self.principal, self._base, permission or self.permission, account, now=now
        )
        if not decision.allowed and decision.why not in later:
            raise Problem(403, decision.why, _WHY.get(decision.why, "your roles do not allow it"))

    def masked(self, view: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of a view as the principal may see it."""
        return self._door.policy.mask(self.principal, self._base, view, row)

    def json(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return an answer."""
        self.status = status
        body = msgspec.json.encode(content)
        return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")
