"""The key that wraps data keys (key-encryption key, KEK): a protocol, and a key in a file.

A cloud's key service fits `Wrapping` with one call each: encrypt and decrypt, with the context as encryption
context (AWS KMS) or additional authenticated data (Google Cloud KMS), the key's resource name as `key_id`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.personal.envelope import KEY_BYTES
from pipeline.personal.errors import KeysUnavailable, PersonalDataError
from pipeline.runtime.secret_files import SecretFileError, read_secret

NONCE_BYTES = 12
_NAME_CONTEXT = b"ledgerflow key-encryption key 1\0"


class Wrapping(Protocol):
    """Wraps and unwraps data keys. Calls may come from several threads."""

    @property
    def key_id(self) -> str:
        """Name the key, in at most 256 characters; another key has another name."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key of 32 bytes, encrypted and bound to the context.

        Raises KeysUnavailable where it cannot be done now.
        """
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return a key that was wrapped with this context.

        Raises PersonalDataError where it was not, KeysUnavailable where it cannot be done now.
        """
        ...


class FileKey:
    """A key-encryption key of 64 hexadecimal digits in a file that only its owner can change or read."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises KeysUnavailable where it is missing, open to others, or no key."""
        try:
            secret = bytes.fromhex(read_secret(path))
        except SecretFileError as error:
            raise KeysUnavailable(str(error)) from None
        except ValueError:
            secret = b""
        if len(secret) != KEY_BYTES:
            raise KeysUnavailable(f"{path} must hold {2 * KEY_BYTES} hexadecimal digits")
        self._cipher = AESGCM(secret)
        self._key_id = "file:" + hashlib.sha256(_NAME_CONTEXT + secret).hexdigest()[:16]

    @property
    def key_id(self) -> str:
        """Name the key; the name says nothing of it."""
        return self._key_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key, encrypted and bound to the context."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return a key that was wrapped with this context. Raises PersonalDataError where it was not."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise not_wrapped(self.key_id) from None


def not_wrapped(key_id: str) -> PersonalDataError:
    """Return the error of a wrapped key that a key-encryption key does not unwrap."""
    return PersonalDataError(
        f"a wrapped key is damaged, of another place, or wrapped with another key than {key_id}"
    )


def make_file_key(path: Path) -> FileKey:
    """Make a key-encryption key in a new file, and return it. Raises FileExistsError, OSError.

    Of processes that do so at once one makes it; the others never see half of it.
    """
    whole = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(whole, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(whole, path)
    finally:
        whole.unlink(missing_ok=True)
    return FileKey(path)
