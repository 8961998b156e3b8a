"""Who asks: the credential of a request, exactly one, as a principal."""

from __future__ import annotations

import asyncio

from fastapi import Request

from pipeline.gateway.identity.keys import Keys, UnknownKey
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.problems import Problem

CREDENTIAL_CHARS_MAX = 8_192


class Identity:
    """Finds out who asks."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def __call__(self, request: Request) -> Principal:
        """Return who asks. Raises Problem 401 for nobody, 400 for two credentials at once."""
        given = request.headers.getlist("authorization")
        if not given:
            raise unauthorised("credential_missing", "send Authorization: Bearer and your API key")
        if len(given) > 1:
            raise Problem(400, "several_credentials", "send one Authorization header")
        scheme, _, credential = given[0].partition(" ")
        if scheme.lower() != "bearer" or not 1 <= len(credential) <= CREDENTIAL_CHARS_MAX:
            raise unauthorised("invalid_credential", "send Authorization: Bearer and your API key")
        try:
            return await asyncio.to_thread(self._keys.principal, credential.strip())
        except UnknownKey as error:
            raise unauthorised("unknown_key", str(error)) from None


def unauthorised(code: str, detail: str) -> Problem:
    """Return the problem of somebody who is not known."""
    return Problem(401, code, detail, {"WWW-Authenticate": 'Bearer realm="ledgerflow"'})
