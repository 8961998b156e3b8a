"""Passkeys (WebAuthn): a key on a device, which a PIN or a finger unlocks there, shows who somebody is.

    challenge -> the device signs it, for our origin -> the public key that is kept here verifies it

That is two factors at once, so a sign-in by passkey is a second factor, too. A challenge is good once, within
five minutes, for what it was made for. A count that goes backwards shows a copied key: it is refused.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Any

import msgspec
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from pipeline.gateway.identity.cookies import Site
from pipeline.gateway.identity.grants import WITHOUT_END, owner_of
from pipeline.gateway.identity.store import Entry, Store, StoreFull
from pipeline.gateway.problems import Problem

ISSUER = "ledgerflow-passkeys"
KIND, CHALLENGES = "passkey", "challenge"
WITHIN_S = 300
CREDENTIAL_CHARS_MAX = 1_400
"""Of a credential's id, which has at most 1,023 bytes."""
NAME = "Ledgerflow"


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody has registered."""

    subject: str
    public_key: bytes
    sign_count: int
    made_at: int
    """Microseconds UTC."""


class Challenge(msgspec.Struct, frozen=True):
    """What a challenge was made for."""

    purpose: str
    """`register`, `sign-in` or `step-up`."""
    subject: str | None = None
    session_id: str | None = None


class Passkeys:
    """The passkeys of a store, for one site."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store, self._site = store, site

    async def creation_options(self, subject: str, shown_name: str) -> dict[str, Any]:
        """Return what `navigator.credentials.create` takes. Raises Problem 503, OSError."""
        selection = AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        options = generate_registration_options(
            rp_id=self._site.host,
            rp_name=NAME,
            user_id=hashlib.sha256(owner_of(ISSUER, subject).encode()).digest(),
            user_name=shown_name,
            challenge=await self._challenge(Challenge("register", subject)),
            authenticator_selection=selection,
        )
        return _json(options)

    async def request_options(self, session_id: str | None, subject: str | None) -> dict[str, Any]:
        """Return what `navigator.credentials.get` takes, to sign in, or to step a session of a subject up.

        Raises Problem 503, OSError.
        """
        purpose = "sign-in" if session_id is None else "step-up"
        options = generate_authentication_options(
            rp_id=self._site.host,
            challenge=await self._challenge(Challenge(purpose, subject, session_id)),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _json(options)

    async def registered(self, credential: dict[str, Any]) -> tuple[str, Passkey]:
        """Return the name and the key of a credential that was made here; it is not kept yet.

        Raises Problem 401, OSError.
        """
        raw, challenge = await self._answered(credential, "register")
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=raw,
                expected_rp_id=self._site.host,
                expected_origin=self._site.origin,
                require_user_verification=True,
            )
        except Exception as error:  # whatever the library makes of what a browser sent, it is refused
            raise _refused(error) from None
        now = time.time_ns() // 1_000
        key = Passkey(
            subject=challenge.subject or "",
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            made_at=now,
        )
        return bytes_to_base64url(made.credential_id), key

    async def keep(self, name: str, key: Passkey) -> None:
        """Keep a passkey. Raises StoreFull, OSError."""
        await self._store.put(KIND, _entry(name, key))

    async def verified(self, credential: dict[str, Any]) -> tuple[str, str | None]:
        """Return who has signed a challenge, and the session that it was for. Raises Problem 401, OSError."""
        raw, challenge = await self._answered(credential, "sign-in", "step-up")
        name = credential.get("id")
        entry = None
        if isinstance(name, str) and len(name) <= CREDENTIAL_CHARS_MAX:
            entry = await self._store.get(KIND, name)
        if entry is None:
            raise Problem(401, "passkey_refused", "this passkey is not known here")
        key = msgspec.json.decode(entry.value, type=Passkey)
        try:
            done = verify_authentication_response(
                credential=credential,
                expected_challenge=raw,
                expected_rp_id=self._site.host,
                expected_origin=self._site.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # as above
            raise _refused(error) from None
        after = msgspec.structs.replace(key, sign_count=done.new_sign_count)
        if after != key and not await self._store.swap(KIND, entry, _entry(entry.name, after)):
            raise Problem(401, "passkey_refused", "this passkey was used twice at once")
        if challenge.subject not in (None, key.subject):
            raise Problem(401, "passkey_refused", "this passkey is somebody else's: sign out first")
        return key.subject, challenge.session_id

    async def _challenge(self, purpose: Challenge) -> bytes:
        challenge = secrets.token_bytes(32)
        ends_at = time.time_ns() // 1_000 + WITHIN_S * 1_000_000
        try:
            await self._store.put(
                CHALLENGES, Entry(_hash(challenge), "", msgspec.json.encode(purpose), ends_at)
            )
        except StoreFull:
            raise Problem(503, "too_busy", "too many sign-ins are under way", {"Retry-After": "60"}) from None
        return challenge

    async def _answered(self, credential: dict[str, Any], *purposes: str) -> tuple[bytes, Challenge]:
        """Return the challenge that a credential answers, and use it up. Raises Problem 401, OSError."""
        try:
            said = base64url_to_bytes(credential["response"]["clientDataJSON"])
            raw = parse_client_data_json(said).challenge
            name = _hash(raw)
        except Exception as error:  # as above
            raise _refused(error) from None
        entry = await self._store.take(CHALLENGES, name)
        challenge = None if entry is None else msgspec.json.decode(entry.value, type=Challenge)
        if challenge is None or challenge.purpose not in purposes:
            raise Problem(401, "passkey_refused", "this took too long, or was sent before: try again")
        return raw, challenge


def _entry(name: str, key: Passkey) -> Entry:
    return Entry(name, owner_of(ISSUER, key.subject), msgspec.json.encode(key), WITHOUT_END)


def _hash(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()


def _json(options: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made


def _refused(error: Exception) -> Problem:
    return Problem(401, "passkey_refused", f"the passkey's answer is refused: {type(error).__name__}")
