"""Public keys of programs that sign their requests; the private ones are theirs alone.

Ed25519, ECDSA on P-256, or RSA of 2,048 bits or more (PSS with SHA-512), in PEM.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import HTTPSignatureAlgorithm, algorithms

from pipeline.gateway.identity.grants import owner_of
from pipeline.gateway.identity.principal import PrincipalError, check_name
from pipeline.gateway.identity.store import Entry, Store

KIND = "signing-key"
DAY_US = 86_400_000_000
DAYS_MAX = 1_100
OF_ONE_MAX = 10
PEM_CHARS_MAX = 8_192
RSA_BITS_MIN = 2_048
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
ALGORITHMS: Mapping[type, type[HTTPSignatureAlgorithm]] = {
    Ed25519PublicKey: algorithms.ED25519,
    EllipticCurvePublicKey: algorithms.ECDSA_P256_SHA256,
    RSAPublicKey: algorithms.RSA_PSS_SHA512,
}


class SigningKeyRefused(ValueError):
    """A key cannot be taken. The text is one line."""


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key of a program. Times are microseconds UTC."""

    key_id: str
    """What signatures have for `keyid`."""
    issuer: str
    subject: str
    pem: str
    made_at: int
    expires_at: int


class SigningKeys:
    """The keys of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, issuer: str, subject: str, pem: str, days: int) -> SigningKey:
        """Keep a public key for so many days. Raises SigningKeyRefused, StoreFull, OSError."""
        try:
            check_name("issuer", issuer)
            check_name("subject", subject)
        except PrincipalError as error:
            raise SigningKeyRefused(str(error)) from None
        if not 1 <= days <= DAYS_MAX:
            raise SigningKeyRefused(f"a signing key is good for 1 to {DAYS_MAX} days, not {days}")
        public_key(pem)
        if len(await self.of(issuer, subject)) >= OF_ONE_MAX:
            raise SigningKeyRefused(f"{subject} has {OF_ONE_MAX} signing keys already: remove some")
        now = time.time_ns() // 1_000
        made = SigningKey(
            key_id=secrets.token_hex(8),
            issuer=issuer,
            subject=subject,
            pem=pem,
            made_at=now,
            expires_at=now + days * DAY_US,
        )
        entry = Entry(made.key_id, owner_of(issuer, subject), msgspec.json.encode(made), made.expires_at)
        await self._store.put(KIND, entry)
        return made

    async def of(self, issuer: str, subject: str) -> list[SigningKey]:
        """Return the keys of a program that are in force. Raises OSError."""
        return [_key(entry) for entry in await self._store.entries(KIND, owner_of(issuer, subject))]

    async def all(self) -> list[SigningKey]:
        """Return all keys that are in force. Raises OSError."""
        return [_key(entry) for entry in await self._store.entries(KIND)]

    async def remove(self, key_id: str) -> bool:
        """End a key at once; return whether there was one. Raises OSError."""
        return await self._store.delete(KIND, key_id)


def public_key(pem: str) -> PublicKey:
    """Return the key of a PEM text. Raises SigningKeyRefused."""
    if len(pem) > PEM_CHARS_MAX:
        raise SigningKeyRefused(f"a public key has at most {PEM_CHARS_MAX} characters")
    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyRefused("this is no public key (PEM): -----BEGIN PUBLIC KEY-----") from None
    if isinstance(found, EllipticCurvePublicKey) and not isinstance(found.curve, SECP256R1):
        raise SigningKeyRefused("of elliptic curves P-256 and Ed25519 are taken")
    if isinstance(found, RSAPublicKey) and found.key_size < RSA_BITS_MIN:
        raise SigningKeyRefused(f"a key of RSA needs {RSA_BITS_MIN} bits, not {found.key_size}")
    if not isinstance(found, PublicKey):
        raise SigningKeyRefused("keys of Ed25519, P-256 and RSA are taken")
    return found


def _key(entry: Entry) -> SigningKey:
    return msgspec.json.decode(entry.value, type=SigningKey)
