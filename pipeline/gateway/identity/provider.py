"""An OpenID provider: what it says of itself (discovery), its keys (JWKS), and a code exchanged for tokens.

Every answer is bounded in size and time, no redirect is followed, and addresses must be `https` except for a
provider on loopback. A key that is not known is asked for, at most once in 30 s; known ones go on for an hour
while the provider does not answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from pipeline.gateway.problems import Problem

ANSWER_WITHIN_S = 5.0
ANSWER_BYTES_MAX = 256 * 1024
KEYS_MAX = 100
RSA_BITS_MIN = 2048
ASKED_AGAIN_AFTER_S = 30.0
"""At most one fetch of keys in so many seconds, whatever comes of it."""
FRESH_S = 600.0
"""After so many seconds known keys are fetched anew: those that the provider withdrew are gone."""
STALE_S = 3_600.0
"""So old keys and endpoints may be while the provider does not answer."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
VerifyingKey = RSAKey | ECKey | OKPKey


class ProviderUnavailable(Exception):
    """The provider gives no answer that can be used. The text is one line."""


class Metadata(msgspec.Struct, frozen=True):
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Provider:
    """One provider, by its issuer."""

    def __init__(self, issuer: str) -> None:
        """Raises ValueError for an issuer that is no address, or is neither `https` nor on loopback."""
        self.issuer = issuer
        if not _is_protected(issuer, issuer):
            raise ValueError("it must be https://..., or http:// on loopback")
        self._metadata = _Kept(self._fetch_metadata)
        self._keys = _Kept(self._fetch_keys)

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself. Raises ProviderUnavailable."""
        found: Metadata = await self._metadata.get()
        return found

    async def key(self, kid: str) -> VerifyingKey | None:
        """Return a public key, None where the provider has none of this name. Raises ProviderUnavailable."""
        keys: Mapping[str, VerifyingKey] = await self._keys.get()
        if kid not in keys:
            keys = await self._keys.get_newer()
        return keys.get(kid)

    async def exchange(self, code: str, verifier: str, redirect_uri: str, client: Client) -> str:
        """Return the id token for a code. Raises ProviderUnavailable, CodeRefused."""
        metadata = await self.metadata()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"code_verifier": verifier, "client_id": client.client_id}
        headers = {}
        if client.secret and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            name, secret = quote(client.client_id, safe=""), quote(client.secret, safe="")
            headers["Authorization"] = aiohttp.encode_basic_auth(name, secret)
        elif client.secret:
            form["client_secret"] = client.secret
        status, body = await _asked("POST", metadata.token_endpoint, form, headers)
        if status in (400, 401):
            raise CodeRefused("the provider refuses the code")
        answer = _object(status, body)
        if not isinstance(answer.get("id_token"), str):
            raise ProviderUnavailable("the provider gave no id token")
        return str(answer["id_token"])

    async def _fetch_metadata(self) -> Metadata:
        address = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = _object(*await _asked("GET", address))
        try:
            found = msgspec.convert(answer, Metadata)
        except msgspec.ValidationError as error:
            raise ProviderUnavailable(f"the provider's discovery cannot be read: {error}") from None
        if found.issuer != self.issuer:
            raise ProviderUnavailable("the provider's discovery names another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not _is_protected(getattr(found, name), self.issuer):
                raise ProviderUnavailable(f"the provider's {name} is not https")
        return found

    async def _fetch_keys(self) -> Mapping[str, VerifyingKey]:
        answer = _object(*await _asked("GET", (await self.metadata()).jwks_uri))
        given = answer.get("keys")
        if not isinstance(given, list) or len(given) > KEYS_MAX:
            raise ProviderUnavailable(f"the provider's keys are no list of at most {KEYS_MAX}")
        found = {}
        for one in given:
            key = _verifying_key(one)
            if key is not None:
                found[one["kid"]] = key
        return found


class Client(msgspec.Struct, frozen=True):
    """What the gateway is to the provider."""

    client_id: str
    secret: str
    """Empty for a public client."""


class CodeRefused(Exception):
    """The provider does not give tokens for a code. The text is one line."""


class _Kept:
    """Something that is fetched, kept and fetched anew, by one request at a time."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]]) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._value: Any = None
        self._fetched_at = self._asked_at = float("-inf")
        self._failed = "the provider was not reached yet"

    async def get(self) -> Any:
        """Return it, not older than FRESH_S, or STALE_S while that fails. Raises ProviderUnavailable."""
        return await self._not_older_than(FRESH_S)

    async def get_newer(self) -> Any:
        """Return it, fetched again if it was not asked for just before. Raises ProviderUnavailable."""
        return await self._not_older_than(ASKED_AGAIN_AFTER_S)

    async def _not_older_than(self, age_s: float) -> Any:
        if time.monotonic() - self._fetched_at <= age_s:
            return self._value
        async with self._lock:
            if time.monotonic() - self._asked_at > ASKED_AGAIN_AFTER_S:
                self._asked_at = time.monotonic()
                try:
                    self._value = await self._fetch()
                    self._fetched_at = time.monotonic()
                except ProviderUnavailable as error:
                    self._failed = str(error)
        if time.monotonic() - self._fetched_at > STALE_S:
            raise ProviderUnavailable(self._failed)
        return self._value


def unavailable(error: ProviderUnavailable) -> Problem:
    """Return the problem of a provider that does not answer."""
    return Problem(503, "provider_unavailable", str(error), {"Retry-After": "30"})


async def _asked(
    method: str, address: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Return status and body of an answer. Raises ProviderUnavailable."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as client,
            client.request(method, address, data=form, headers=sent, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for part in answer.content.iter_chunked(16_384):
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise ProviderUnavailable("the provider's answer is too large")
            return answer.status, bytes(body)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ProviderUnavailable(f"the provider does not answer: {type(error).__name__}") from None


def _object(status: int, body: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises ProviderUnavailable."""
    if status != 200:
        raise ProviderUnavailable(f"the provider answers with {status}")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise ProviderUnavailable("the provider's answer is no JSON object") from None


def _verifying_key(given: Any) -> VerifyingKey | None:
    """Return a key of a JWKS, None where it is not for signatures or is too weak."""
    if not isinstance(given, dict) or given.get("use", "sig") != "sig" or given.get("kty") == "oct":
        return None
    if not isinstance(given.get("kid"), str):
        return None
    try:
        key = JWKRegistry.import_key({name: given[name] for name in _PUBLIC if name in given})
    except (JoseError, ValueError, TypeError):
        return None
    if not isinstance(key, RSAKey | ECKey | OKPKey):
        return None
    return None if isinstance(key, RSAKey) and key.raw_value.key_size < RSA_BITS_MIN else key


_PUBLIC = ("kty", "crv", "x", "y", "n", "e")


def _is_protected(address: str, issuer: str) -> bool:
    """Return whether an address is `https`, or on loopback as its issuer is."""
    try:
        parts, of_issuer = urlsplit(address), urlsplit(issuer)
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not parts.hostname:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and {parts.hostname, of_issuer.hostname} <= _LOOPBACK
