"""People sign in at an OpenID provider: authorisation code with PKCE (S256), state, nonce, exact redirect.

    GET /sign-in -> the provider, with state, nonce, challenge
    GET /sign-in/callback?code&state -> the code for an id token -> a session

The browser keeps the verifier in a cookie; here stands its hash, under the hash of the state, for ten minutes
and for one use. The nonce follows from the verifier. So a callback is only good in the browser that began.
A second factor is one that the provider names (`acr`, `amr`), at the time when it was shown (`auth_time`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from pipeline.gateway.identity.cookies import Site
from pipeline.gateway.identity.provider import (
    Client,
    CodeRefused,
    Provider,
    ProviderUnavailable,
    unavailable,
)
from pipeline.gateway.identity.store import Entry, Store, StoreFull
from pipeline.gateway.identity.tokens import LEEWAY_S, Claims, TokenRefused, time_of, verified
from pipeline.gateway.problems import Problem, shown

KIND = "sign-in"
CALLBACK = "/sign-in/callback"
WITHIN_S = 600
SIGN_IN_AGE_S = 12 * 3_600
"""The provider may know somebody for so long without asking again."""
CODE_CHARS_MAX = 4_096
TYPES = frozenset({"", "jwt"})
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}").fullmatch


class _Pending(msgspec.Struct, frozen=True):
    """A sign-in that is under way."""

    challenge: str
    """Hash of the verifier."""
    return_to: str
    session_id: str | None
    """Of a step-up: the session that it is for."""
    subject: str | None
    began_at_s: int


class Begun(NamedTuple):
    """A sign-in that begins."""

    address: str
    """Of the provider, where the browser goes."""
    verifier: str
    """For the browser's cookie."""


class SignedIn(NamedTuple):
    """Somebody for whom the provider vouches."""

    subject: str
    second_factor_at: int | None
    """Microseconds UTC."""
    session_id: str | None
    """The session that is stepped up; None: a new one begins."""
    return_to: str


class SignIn:
    """The sign-in at one provider."""

    def __init__(
        self, provider: Provider, client: Client, second_factors: frozenset[str], store: Store, site: Site
    ) -> None:
        """`second_factors`: what `acr` or `amr` say where a second factor was shown."""
        self.provider = provider
        self._client, self._second_factors, self._store = client, second_factors, store
        self._redirect_uri = site.origin + CALLBACK

    async def begin(self, return_to: str, session_id: str | None = None, subject: str | None = None) -> Begun:
        """Begin a sign-in, or the step-up of a subject's session. Raises Problem 400 and 503, OSError."""
        if not _LOCAL(return_to):
            raise Problem(400, "invalid_return", "return_to is a path of this site, such as /docs")
        try:
            metadata = await self.provider.metadata()
        except ProviderUnavailable as error:
            raise unavailable(error) from None
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        began_at_s = int(time.time())
        pending = _Pending(_challenge(verifier), return_to, session_id, subject, began_at_s)
        ends_at = (began_at_s + WITHIN_S) * 1_000_000
        try:
            await self._store.put(KIND, Entry(_hash(state), "", msgspec.json.encode(pending), ends_at))
        except StoreFull:
            raise Problem(503, "too_busy", "too many sign-ins are under way", {"Retry-After": "60"}) from None
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": _nonce(verifier),
            "code_challenge": pending.challenge,
            "code_challenge_method": "S256",
            "max_age": str(SIGN_IN_AGE_S),
        }
        if session_id is not None:
            asked |= {"prompt": "login", "max_age": "0"}
        sign = "&" if "?" in metadata.authorization_endpoint else "?"
        return Begun(metadata.authorization_endpoint + sign + urlencode(asked), verifier)

    async def finish(self, given: Mapping[str, str], verifier: str) -> SignedIn:
        """Return who has signed in. `given`: the parameters of the callback; `verifier`: the cookie.

        Raises Problem 401 where it is not the sign-in that began here, 503 for the provider; OSError.
        """
        entry = await self._store.take(KIND, _hash(given.get("state", "")))
        if entry is None or not _SECRET(verifier):
            raise _refused("this sign-in is unknown or over: begin again")
        pending = msgspec.json.decode(entry.value, type=_Pending)
        if not hmac.compare_digest(pending.challenge, _challenge(verifier)):
            raise _refused("this sign-in was begun in another browser: begin again")
        if given.get("iss", self.provider.issuer) != self.provider.issuer:
            raise _refused("the answer is of another provider")
        if "error" in given:
            raise _refused(shown(f"the provider says {given['error']}"))
        code = given.get("code", "")
        if not 1 <= len(code) <= CODE_CHARS_MAX:
            raise _refused("the provider gave no code")
        try:
            token = await self.provider.exchange(code, verifier, self._redirect_uri, self._client)
            claims = await verified(self.provider, token, self._client.client_id, TYPES)
            return self._signed_in(claims, pending, verifier)
        except (TokenRefused, CodeRefused) as error:
            raise _refused(f"the provider's token is refused: {error}") from None
        except ProviderUnavailable as error:
            raise unavailable(error) from None

    def _signed_in(self, claims: Claims, pending: _Pending, verifier: str) -> SignedIn:
        """Raises TokenRefused, Problem 401."""
        said = claims.all
        if not hmac.compare_digest(str(said.get("nonce", "")).encode(), _nonce(verifier).encode()):
            raise TokenRefused("its nonce is of another sign-in")
        party = said.get("azp")
        for_several = isinstance(said.get("aud"), list) and len(said["aud"]) > 1
        if party != self._client.client_id and (party is not None or for_several):
            raise TokenRefused("it was made for another party")
        shown_at = time_of(said, "auth_time")
        earliest = pending.began_at_s - (SIGN_IN_AGE_S if pending.session_id is None else 0) - LEEWAY_S
        if shown_at is None or not earliest <= shown_at <= time.time() + LEEWAY_S:
            raise TokenRefused("it does not say that the person was asked lately")
        if pending.subject not in (None, claims.subject):
            raise _refused("somebody else has signed in: sign out first")
        second_factor_at = min(shown_at * 1_000_000, time.time_ns() // 1_000)
        factors = {*_texts([said.get("acr")]), *_texts(said.get("amr"))} & self._second_factors
        return SignedIn(
            claims.subject, second_factor_at if factors else None, pending.session_id, pending.return_to
        )


def _texts(given: object) -> list[str]:
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    """Return the challenge of a verifier (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _nonce(verifier: str) -> str:
    return hashlib.sha256(b"nonce\0" + verifier.encode()).hexdigest()


def _refused(detail: str) -> Problem:
    return Problem(401, "sign_in_refused", detail)
