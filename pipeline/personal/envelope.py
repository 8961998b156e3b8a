"""One encrypted text: AES-256-GCM under a data key, bound to the place where it stands.

    p1.<key id>.<key version>.<base64url: nonce of 12 bytes, ciphertext, tag of 16 bytes>

The associated data names tenant, topic, schema, field and person, and the key: a value that was moved to
another one does not open. A text is padded with zeros to the next of SIZE_CLASSES, so that a value says only
in which class its length is.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.personal.errors import CannotOpen, PersonalDataError

TEXT_BYTES_MAX = 16 * 1024
"""The longest text, in bytes of UTF-8."""
SIZE_CLASSES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, TEXT_BYTES_MAX)
"""Bytes of UTF-8 to which a text is padded."""
ENVELOPE_CHARS_MAX = 22_000
"""No envelope is longer; a longer text is none."""
KEY_BYTES = 32
_LENGTH_BYTES, _NONCE_BYTES, _TAG_BYTES = 2, 12, 16
_FORM = re.compile(r"p1\.([A-Za-z0-9_-]{16})\.([1-9][0-9]{0,8})\.([A-Za-z0-9_-]+)")
_CONTEXT, _NONCE_CONTEXT = b"ledgerflow personal data 1", b"ledgerflow personal nonce 1"


class Place(NamedTuple):
    """Where a text stands, and whose it is."""

    tenant: str
    topic: str
    schema: str
    """The full Avro record name."""
    field: str
    person: str


class DataKey(NamedTuple):
    """One version of the key of a person and field."""

    key_id: str
    """16 characters of base64url."""
    version: int
    secret: bytes
    """KEY_BYTES bytes."""

    def __repr__(self) -> str:
        return f"DataKey({self.key_id}, version {self.version})"


class Name(NamedTuple):
    """Which key an envelope needs."""

    key_id: str
    version: int


def sealed(text: str, place: Place, key: DataKey, *, repeatable: bool = False) -> str:
    """Return the envelope of a text. Raises PersonalDataError for one that is too long or no Unicode.

    The nonce is random. `repeatable`: it is a keyed hash of text, place and key version, so that the same
    text at the same place has the same envelope, which says of two values no more than their tokens do: a
    command that is sent again has to be the same command. A key seals at most 2^32 values (see README.md).
    """
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise PersonalDataError(f"{place.field}: the text is no valid Unicode") from None
    if len(content) > TEXT_BYTES_MAX:
        raise PersonalDataError(
            f"{place.field}: the text has {len(content):,} bytes, at most {TEXT_BYTES_MAX:,}"
        )
    size = next(size for size in SIZE_CLASSES if size >= len(content))
    padded = len(content).to_bytes(_LENGTH_BYTES, "big") + content.ljust(size, b"\0")
    associated = _associated(place, Name(key.key_id, key.version))
    nonce = _derived_nonce(key.secret, associated, padded) if repeatable else os.urandom(_NONCE_BYTES)
    body = nonce + AESGCM(key.secret).encrypt(nonce, padded, associated)
    return f"p1.{key.key_id}.{key.version}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}"


def name_in(envelope: str) -> Name | None:
    """Return which key an envelope needs; None where a text is none."""
    if len(envelope) > ENVELOPE_CHARS_MAX:
        return None
    found = _FORM.fullmatch(envelope)
    return None if found is None else Name(found[1], int(found[2]))


def opened(envelope: str, place: Place, key_of: Callable[[Name, Place], bytes]) -> str:
    """Return the text of an envelope; `key_of` gives the secret of a key for a place.

    Raises CannotOpen where the envelope is damaged or belongs to another place or person, and what `key_of`
    raises.
    """
    name = name_in(envelope)
    if name is None:
        raise CannotOpen(f"{place.field}: not an encrypted value")
    body = _decoded(envelope.rpartition(".")[2])
    if len(body) - _NONCE_BYTES - _LENGTH_BYTES - _TAG_BYTES not in SIZE_CLASSES:
        raise CannotOpen(f"{place.field}: the encrypted value has no size that is in use")
    cipher = AESGCM(key_of(name, place))
    try:
        padded = cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _associated(place, name))
    except InvalidTag:
        raise CannotOpen(
            f"{place.field}: the encrypted value is damaged, or is of another tenant, topic, field or person"
        ) from None
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    content, padding = padded[_LENGTH_BYTES:][:length], padded[_LENGTH_BYTES + length :]
    if len(content) != length or padding.strip(b"\0"):
        raise CannotOpen(f"{place.field}: the padding is damaged")
    return content.decode()


def length_prefixed(*parts: str | bytes) -> bytes:
    """Return parts as one byte string that no other parts make: each after its length, 4 bytes."""
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _derived_nonce(secret: bytes, associated: bytes, padded: bytes) -> bytes:
    key = hmac.digest(secret, _NONCE_CONTEXT, "sha256")
    return hmac.digest(key, length_prefixed(associated, padded), "sha256")[:_NONCE_BYTES]


def _associated(place: Place, name: Name) -> bytes:
    return length_prefixed(_CONTEXT, *place, name.key_id, str(name.version))


def _decoded(text: str) -> bytes:
    try:
        body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    # One envelope has one form: unused bits of the last character could otherwise be changed unseen.
    return body if base64.urlsafe_b64encode(body).decode().rstrip("=") == text else b""
