"""The first administrator: on this machine, and only while there is none.

    link -> printed once -> the page at it registers a passkey -> the administrator's role is given

A link is good for 15 minutes and one passkey; a newer one takes its place. Whoever can print it can read the
data directory anyway. If the passkey is lost: `ledgerflow grants remove`, and start the gateway again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from fastapi import Request

from pipeline.gateway.identity.cookies import Site
from pipeline.gateway.identity.grants import ADMINISTRATOR, Grants
from pipeline.gateway.identity.passkeys import ISSUER, Passkeys
from pipeline.gateway.identity.principal import EVERY_TENANT
from pipeline.gateway.identity.store import Entry, Store
from pipeline.gateway.problems import Problem
from pipeline.runtime.addresses import is_loopback
from pipeline.runtime.settings import Settings

KIND, NAME = "link", "first-administrator"
PAGE = "/first-administrator"
WITHIN_S = 900


class FirstAdministrator:
    """Makes the first administrator."""

    def __init__(self, store: Store, grants: Grants, passkeys: Passkeys, site: Site) -> None:
        self._store, self._grants, self._passkeys, self._site = store, grants, passkeys, site

    async def link(self) -> str | None:
        """Return a new link, None where there is an administrator already. Raises OSError."""
        if await self._grants.has_administrator():
            return None
        secret = secrets.token_urlsafe(32)
        ends_at = time.time_ns() // 1_000 + WITHIN_S * 1_000_000
        await self._store.put(KIND, Entry(NAME, "", _hash(secret), ends_at))
        # After the #, a browser sends it to nobody, and no log has it.
        return f"{self._site.origin}{PAGE}#{secret}"

    async def options(self, request: Request, secret: str) -> dict[str, Any]:
        """Return what the browser needs to make a passkey. Raises Problem 403, OSError."""
        await self._require(request, secret)
        return await self._passkeys.creation_options(f"administrator-{secrets.token_hex(4)}", ADMINISTRATOR)

    async def register(self, request: Request, secret: str, credential: dict[str, Any]) -> str:
        """Keep a passkey and give its owner the role; return the subject.

        Raises Problem 401 and 403, OSError.
        """
        await self._require(request, secret)
        name, key = await self._passkeys.registered(credential)
        taken = await self._store.take(KIND, NAME)  # of several that have come so far, one goes on
        if taken is None or not hmac.compare_digest(taken.value, _hash(secret)):
            raise _over()
        if await self._grants.has_administrator():
            raise _over()
        await self._passkeys.keep(name, key)
        await self._grants.add(
            ISSUER, key.subject, "person", EVERY_TENANT, ADMINISTRATOR, made_by="the first start's link"
        )
        return key.subject

    async def _require(self, request: Request, secret: str) -> None:
        """Check that somebody on this machine has the link. Raises Problem 403, OSError."""
        client = "" if request.client is None else request.client.host
        if not is_loopback(client) or request.url.hostname != self._site.host:
            raise Problem(403, "not_on_this_machine", "open the link in a browser on the gateway's machine")
        self._site.require_own_page(request)
        kept = await self._store.get(KIND, NAME)
        if kept is None or not hmac.compare_digest(kept.value, _hash(secret)):
            raise _over()


def is_local(settings: Settings) -> bool:
    """Return whether the gateway is of this machine alone: on loopback, and no proxy lets others in."""
    return is_loopback(settings.gateway_host) and not settings.gateway_url and not settings.gateway_proxies


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _over() -> Problem:
    return Problem(403, "link_over", "the link is over or was used: start the gateway again for another")
