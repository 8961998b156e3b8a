"""Opening a key store: in a folder, with a key-encryption key that is made at its first use, and later.

folder/keys.sqlite   the store
folder/kek           the key-encryption key, where no other is named

A key-encryption key is named by the path of its file, or by a URI of a hardware module (RFC 7512):
`pkcs11:token=vault;object=kek?module-path=/usr/lib/module.so&pin-source=file:/run/secrets/pin`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from pipeline.personal.envelope import DataKey, Name, Place
from pipeline.personal.errors import KeysUnavailable
from pipeline.personal.keystore import KeyStore
from pipeline.personal.wrapping import FileKey, Wrapping, make_file_key

STORE_NAME, KEK_NAME = "keys.sqlite", "kek"
_SCHEME = "pkcs11:"
_ATTRIBUTES = {"token", "object", "module-path", "pin-source"}
_FORM = "pkcs11:token=TOKEN;object=LABEL?module-path=LIBRARY&pin-source=file:PATH"


def open_in(folder: Path, kek: str | None = None, earlier: Sequence[str] = ()) -> KeyStore:
    """Open the store of a folder, or make it. `earlier`: names of keys that wrapped what is there.

    Where no `kek` is named, one is made with the store; one that was lost is not replaced. Raises
    KeysUnavailable.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wrapping = _own_key(folder) if kek is None else named_key(kek)
        return KeyStore(folder / STORE_NAME, wrapping, earlier=[named_key(one) for one in earlier])
    except OSError as error:
        raise KeysUnavailable(f"{folder}: the key store cannot be opened: {error.strerror}") from None


def named_key(name: str, *, make: bool = False) -> Wrapping:
    """Return a key-encryption key by its name; `make`: also where it is not there yet.

    Raises KeysUnavailable, OSError.
    """
    if name.startswith(_SCHEME):
        return _of_module(name, make)
    path = Path(name)
    if make and not path.exists():
        return make_file_key(path)
    return FileKey(path)


def _of_module(uri: str, make: bool) -> Wrapping:
    path, _, query = uri.removeprefix(_SCHEME).partition("?")
    parts = [*path.split(";"), *query.split("&")]
    said = {name: unquote(value) for name, _, value in (part.partition("=") for part in parts)}
    if set(said) != _ATTRIBUTES or not all(said.values()) or len(parts) != len(_ATTRIBUTES):
        raise KeysUnavailable(f"a key of a module is {_FORM}, not {uri!r}")
    try:
        from pipeline.personal.hsm import HardwareKey
    except ImportError:
        raise KeysUnavailable(
            "keys of a hardware module need the extra: pip install 'ledgerflow[hsm]'"
        ) from None
    pin = Path(said["pin-source"].removeprefix("file:"))
    return HardwareKey(Path(said["module-path"]), said["token"], said["object"], pin, make=make)


def _own_key(folder: Path) -> FileKey:
    path = folder / KEK_NAME
    # Asked in this order: whoever makes a store has made its key before.
    is_used = (folder / STORE_NAME).exists()
    if not path.exists():
        if is_used:
            raise KeysUnavailable(f"{path} is missing: without it nothing in the key store can be used")
        with suppress(FileExistsError):  # another process was quicker
            return make_file_key(path)
    return FileKey(path)


class DeferredStore:
    """A key store that is opened when it is needed; while that fails, each use raises KeysUnavailable."""

    def __init__(self, opening: Callable[[], KeyStore]) -> None:
        self._opening = opening
        self._opened: KeyStore | None = None
        self._lock = threading.Lock()

    def current(self, tenant: str, person: str, field: str) -> DataKey:
        """Do as KeyStore.current."""
        return self._store().current(tenant, person, field)

    def secret(self, name: Name, place: Place) -> bytes:
        """Do as KeyStore.secret."""
        return self._store().secret(name, place)

    def token_key(self, tenant: str, purpose: str) -> bytes:
        """Do as KeyStore.token_key."""
        return self._store().token_key(tenant, purpose)

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def _store(self) -> KeyStore:
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
            return self._opened
