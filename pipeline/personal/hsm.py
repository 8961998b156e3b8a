"""A key-encryption key in a hardware security module, by PKCS#11: it never leaves the module.

It needs the extra `hsm` and the module's library; SoftHSM stands in for a module in tests.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11.exceptions import PKCS11Error

from pipeline.personal.envelope import KEY_BYTES
from pipeline.personal.errors import KeysUnavailable
from pipeline.personal.wrapping import NONCE_BYTES, not_wrapped
from pipeline.runtime.secret_files import SecretFileError, read_secret

_TAG_BITS = 128


class HardwareKey:
    """An AES key of a token, by its label; wraps by AES-256-GCM."""

    def __init__(self, library: Path, token: str, label: str, pin_file: Path, *, make: bool = False) -> None:
        """Find the key, or make it where `make` says so; the PIN is in a file of its owner alone.

        Raises KeysUnavailable where library, token, PIN or key are missing or wrong.
        """
        self._key_id = f"pkcs11:{token}/{label}"
        self._lock = threading.Lock()
        try:
            pin = read_secret(pin_file)
            self._session = _logged_in(pkcs11.lib(str(library)).get_token(token_label=token), pin, make)
            try:
                self._key = self._found(label, make)
            except PKCS11Error:
                self._session.close()
                raise
        except SecretFileError as error:
            raise KeysUnavailable(str(error)) from None
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise self._unavailable(error) from None

    @property
    def key_id(self) -> str:
        """Name the key by token and label."""
        return self._key_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key, encrypted and bound to the context. Raises KeysUnavailable."""
        nonce = os.urandom(NONCE_BYTES)
        try:
            with self._lock:
                return nonce + bytes(self._key.encrypt(key, **_gcm(nonce, context)))
        except PKCS11Error as error:
            raise self._unavailable(error) from None

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return a key that was wrapped with this context. Raises PersonalDataError, KeysUnavailable."""
        try:
            return self._decrypted(wrapped, context)
        except PKCS11Error as error:
            # Modules have no code of their own for a wrong tag; SoftHSM says GeneralError. One that still
            # opens what it has just encrypted is well, and then it is the wrapped key that is not.
            if self._is_well():
                raise not_wrapped(self.key_id) from None
            raise self._unavailable(error) from None

    def _decrypted(self, wrapped: bytes, context: bytes) -> bytes:
        nonce, body = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        with self._lock:
            return bytes(self._key.decrypt(body, **_gcm(nonce, context)))

    def _is_well(self) -> bool:
        probe = os.urandom(KEY_BYTES)
        try:
            return self._decrypted(self.wrap(probe, b"probe"), b"probe") == probe
        except (PKCS11Error, KeysUnavailable):
            return False

    def close(self) -> None:
        """Leave the token, which ends the login of all keys of it in this process. Raises KeysUnavailable."""
        try:
            self._session.close()
        except PKCS11Error as error:
            raise self._unavailable(error) from None

    def _found(self, label: str, make: bool) -> pkcs11.SecretKey:
        try:
            return self._session.get_key(key_type=pkcs11.KeyType.AES, label=label)
        except pkcs11.NoSuchKey:
            if not make:
                raise
        return self._session.generate_key(
            pkcs11.KeyType.AES,
            8 * KEY_BYTES,
            label=label,
            store=True,
            template={pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True},
        )

    def _unavailable(self, error: Exception) -> KeysUnavailable:
        return KeysUnavailable(f"{self._key_id}: {type(error).__name__} {error}".rstrip())


def _logged_in(token: Any, pin: str, write: bool) -> Any:
    try:
        return token.open(rw=write, user_pin=pin)
    except pkcs11.exceptions.UserAlreadyLoggedIn:  # by another key of this process
        return token.open(rw=write)


def _gcm(nonce: bytes, context: bytes) -> dict[str, Any]:
    parameters = pkcs11.GCMParams(nonce, context, _TAG_BITS)
    return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}
