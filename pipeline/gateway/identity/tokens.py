"""Signed tokens (JWT) of a provider: which are in force, and meant for us.

Checked: the algorithm is one of ALGORITHMS and fits the key, the signature, type, issuer, audience, and times
with 60 s of leeway. Never `none`, never a shared secret.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from pipeline.gateway.identity.principal import NAME_CHARS_MAX
from pipeline.gateway.identity.provider import Provider

ALGORITHMS: Mapping[str, type] = {
    "RS256": RSAKey, "PS256": RSAKey, "ES256": ECKey, "ES384": ECKey, "EdDSA": OKPKey, "Ed25519": OKPKey,
}  # fmt: skip
LEEWAY_S = 60
TOKEN_CHARS_MAX = 8_192
LIFETIME_S_MAX = 86_400
_TIME_MAX = 1 << 40
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+").fullmatch


class TokenRefused(Exception):
    """A token is not in force, or not for us. The text is for the caller."""


class Claims(NamedTuple):
    """What a token says."""

    subject: str
    expires_at_s: int
    issued_at_s: int
    all: Mapping[str, Any]


async def verified(provider: Provider, token: str, audience: str, types: Collection[str]) -> Claims:
    """Return what a token says. `types`: what its header may have for `typ`, in lower case; "" for none.

    Raises TokenRefused, ProviderUnavailable.
    """
    if len(token) > TOKEN_CHARS_MAX or not _FORM(token):
        raise TokenRefused("it has no form of a token")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, RecursionError):
        raise TokenRefused("its header cannot be read") from None
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("its algorithm is none that is taken")
    if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in types:
        raise TokenRefused("its header names no key, or another type")
    key = await provider.key(kid)
    if key is None or not isinstance(key, ALGORITHMS[algorithm]):
        raise TokenRefused("its key is not the provider's")
    try:
        said = jwt.decode(token, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefused("its signature or its content is wrong") from None
    return _checked(said, provider.issuer, audience, time.time())


def _checked(said: Mapping[str, Any], issuer: str, audience: str, now_s: float) -> Claims:
    """Return claims that are in force and for us. Raises TokenRefused."""
    if said.get("iss") != issuer:
        raise TokenRefused("it is of another issuer")
    given = said.get("aud")
    if audience not in (given if isinstance(given, list) else [given]):
        raise TokenRefused("it is for another audience")
    subject = said.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= NAME_CHARS_MAX or not subject.isprintable():
        raise TokenRefused("it names no subject")
    expires_at, issued_at = time_of(said, "exp"), time_of(said, "iat")
    if expires_at is None or issued_at is None:
        raise TokenRefused("it does not say when it was made and when it ends")
    if now_s >= expires_at + LEEWAY_S:
        raise TokenRefused("it has expired")
    if issued_at > now_s + LEEWAY_S or (time_of(said, "nbf") or 0) > now_s + LEEWAY_S:
        raise TokenRefused("it is not in force yet")
    if expires_at - issued_at > LIFETIME_S_MAX:
        raise TokenRefused(f"it is good for more than {LIFETIME_S_MAX} s")
    return Claims(subject, expires_at, issued_at, said)


def time_of(said: Mapping[str, Any], name: str) -> int | None:
    """Return a time of claims, seconds UTC, None where it is left out. Raises TokenRefused."""
    given = said.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given < _TIME_MAX:
        raise TokenRefused(f"its {name} is no time")
    return int(given)
