"""Who asks: the credential of a request, exactly one, as a principal.

Authorization: Bearer lfk_...    an API key      Authorization: Bearer eyJ...    a program's JWT
Cookie: __Host-ledgerflow-session=...            a person's session
"""

from __future__ import annotations

import asyncio

from fastapi import Request

from pipeline.gateway.identity import keys as api_keys
from pipeline.gateway.identity.cookies import SAFE_METHODS, Site
from pipeline.gateway.identity.jwt import Programs
from pipeline.gateway.identity.keys import Keys, UnknownKey
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.identity.sessions import Session, Sessions, Started
from pipeline.gateway.identity.tokens import TokenRefused
from pipeline.gateway.problems import Problem

CREDENTIAL_CHARS_MAX = 8_192
_HOW = "sign in, or send Authorization: Bearer and your API key"


class Identity:
    """Finds out who asks."""

    def __init__(self, keys: Keys, sessions: Sessions, site: Site, programs: Programs | None = None) -> None:
        """`programs`: None where no provider vouches for programs."""
        self._keys, self._programs = keys, programs
        self.sessions, self.site = sessions, site

    async def __call__(self, request: Request) -> Principal:
        """Return who asks. Raises Problem 401 for nobody, 400 for two credentials at once."""
        given = request.headers.getlist("authorization")
        cookie = request.cookies.get(self.site.session)
        if len(given) + (cookie is not None) > 1:
            raise Problem(400, "several_credentials", "send one credential: a header or a cookie")
        if cookie is not None:
            return await self.sessions.principal(await self._session(request, cookie))
        if not given:
            raise unauthorised("credential_missing", _HOW)
        scheme, _, credential = given[0].partition(" ")
        if scheme.lower() != "bearer" or not 1 <= len(credential) <= CREDENTIAL_CHARS_MAX:
            raise unauthorised("invalid_credential", _HOW)
        return await self._bearer(credential.strip())

    async def session(self, request: Request) -> Session | None:
        """Return the session of a browser, None where it has none that is in force."""
        cookie = request.cookies.get(self.site.session)
        return None if cookie is None else await self.sessions.find(cookie)

    async def begin(
        self, request: Request, issuer: str, subject: str, second_factor_at: int | None
    ) -> Started:
        """Begin a session of somebody who has signed in; the one that the browser had ends.

        Raises StoreFull, OSError.
        """
        before = await self.session(request)
        if before is not None:
            await self.sessions.end(before.session_id)
        return await self.sessions.start(issuer, subject, second_factor_at)

    async def again(self, principal: Principal) -> Principal | None:
        """Return a principal as of now, None where its credential is over or revoked."""
        if principal.session_id is not None:
            return await self.sessions.again(principal.session_id)
        if principal.issuer == api_keys.ISSUER and principal.key_id is not None:
            return await asyncio.to_thread(self._keys.again, principal.key_id)
        return None if self._programs is None else await self._programs.again(principal)

    async def _session(self, request: Request, cookie: str) -> Session:
        session = await self.sessions.find(cookie)
        if session is None:
            raise unauthorised("session_over", "the session is over: sign in again")
        if request.method not in SAFE_METHODS:
            self.site.require_csrf(request, cookie)
        return session

    async def _bearer(self, credential: str) -> Principal:
        if self._programs is not None and credential.count(".") == 2:
            try:
                return await self._programs.principal(credential)
            except TokenRefused as error:
                raise unauthorised("token_refused", str(error)) from None
        known = self._keys.remembered(credential)
        if known is not None:
            return known
        try:
            return await asyncio.to_thread(self._keys.principal, credential)
        except UnknownKey as error:
            raise unauthorised("unknown_key", str(error)) from None


def unauthorised(code: str, detail: str) -> Problem:
    """Return the problem of somebody who is not known."""
    return Problem(401, code, detail, {"WWW-Authenticate": 'Bearer realm="ledgerflow"'})
