"""Signed requests (HTTP Message Signatures, RFC 9421): programs' commands in the tenants that ask for them.

    Content-Digest: sha-256=:...:
    Signature-Input: sig=("@method" "@target-uri" "idempotency-key" "content-digest");created=...;keyid="..."
    Signature: sig=:...:

A signature comes beside the credential, by a signing key of the same program, made within five minutes. It
covers what a command is: method, address, idempotency key and body. So a copy of it has no second effect.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
)
from starlette.datastructures import Headers

from pipeline.gateway.identity.cookies import SAFE_METHODS
from pipeline.gateway.identity.principal import EVERY_TENANT, Principal
from pipeline.gateway.identity.signing_keys import ALGORITHMS, PublicKey, SigningKeys, public_key
from pipeline.gateway.problems import Problem, shown

AGE_MAX = dt.timedelta(minutes=5)
COVERED = ("@method", "@target-uri", "idempotency-key")
"""What a signature must cover, beside the digest of a body."""
HEADER_CHARS_MAX = 4_096

_CHECKS = "ledgerflow.signatures"
"""In the scope of a request: its checks, by the program whose keys were tried."""


class _Message(NamedTuple):
    """A request as the verifier takes it."""

    method: str
    url: str
    headers: Headers


class Signatures:
    """Checks signatures."""

    def __init__(self, keys: SigningKeys, tenants: frozenset[str], origin: str) -> None:
        """`tenants`: those that ask for signatures, EVERY_TENANT for all. `origin`: where clients find us."""
        self._keys, self._tenants, self._origin = keys, tenants, origin

    async def require(self, request: Request, principal: Principal, tenant: str) -> None:
        """Check the signature of a program's command, where its tenant asks for one.

        A request is checked once, however many commands it has. Raises Problem 401 and 400, OSError.
        """
        if not self._tenants & {tenant, EVERY_TENANT}:
            return
        if request.method in SAFE_METHODS or principal.session_id is not None:
            return
        checks: dict[tuple[str, str], asyncio.Task[None]] = request.scope.setdefault(_CHECKS, {})
        program = principal.issuer, principal.subject
        if program not in checks:
            checks[program] = asyncio.create_task(self._require_signed(request, *program))
        await asyncio.shield(checks[program])  # one command that is given up ends no other's check

    async def _require_signed(self, request: Request, issuer: str, subject: str) -> None:
        """Check that a program has signed a request. Raises Problem 401, OSError."""
        for name in ("signature", "signature-input", "content-digest"):
            if sum(map(len, request.headers.getlist(name))) > HEADER_CHARS_MAX:
                raise _refused(f"{name} has more than {HEADER_CHARS_MAX} characters")
        if "signature" not in request.headers:
            raise Problem(401, "signature_required", "this tenant asks for signed commands (RFC 9421)")
        keys = await self._keys.of(issuer, subject)
        by_kind: dict[type[HTTPSignatureAlgorithm], dict[str, PublicKey]] = {}
        for key in keys:
            found = public_key(key.pem)
            (algorithm,) = (one for kind, one in ALGORITHMS.items() if isinstance(found, kind))
            by_kind.setdefault(algorithm, {})[key.key_id] = found
        await self._require_one(request, by_kind)

    async def _require_one(
        self, request: Request, by_kind: Mapping[type[HTTPSignatureAlgorithm], Mapping[str, PublicKey]]
    ) -> None:
        """Check that one of a program's keys has signed a request. Raises Problem 401."""
        path = request.scope["raw_path"].decode("latin-1")  # what is no address is the verifier's to refuse
        query = request.scope["query_string"].decode("latin-1")
        message = _Message(
            request.method, f"{self._origin}{path}{'?' if query else ''}{query}", request.headers
        )
        body, why = await request.body(), "the program has no signing key"
        for algorithm, keys in by_kind.items():
            verifier = HTTPMessageVerifier(
                signature_algorithm=algorithm,
                key_resolver=MappingKeyResolver(public_keys=keys, private_keys={}),
            )
            try:
                verifier.verify(message, max_age=AGE_MAX, require_components=COVERED, body=body)
                return
            except (HTTPMessageSignaturesException, ValueError) as error:
                why = str(error)
        raise _refused(why)


def _refused(detail: str) -> Problem:
    return Problem(401, "signature_refused", shown(detail))
