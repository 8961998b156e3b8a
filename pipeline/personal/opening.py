"""Opening a key store: in a folder, with a key-encryption key that is made at its first use, and later.

folder/keys.sqlite   the store
folder/kek           the key-encryption key, where no other file is named
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.personal.envelope import DataKey, Name, Place
from pipeline.personal.errors import KeysUnavailable
from pipeline.personal.keystore import KeyStore
from pipeline.personal.wrapping import FileKey, make_file_key

STORE_NAME, KEK_NAME = "keys.sqlite", "kek"


def open_in(folder: Path, kek_file: Path | None = None, earlier: Sequence[Path] = ()) -> KeyStore:
    """Open the store of a folder, or make it. `earlier`: files of keys that wrapped what is there.

    Where no `kek_file` is named, one is made with the store; one that was lost is not replaced. Raises
    KeysUnavailable.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kek = _own_key(folder) if kek_file is None else FileKey(kek_file)
        return KeyStore(folder / STORE_NAME, kek, earlier=[FileKey(one) for one in earlier])
    except OSError as error:
        raise KeysUnavailable(f"{folder}: the key store cannot be opened: {error.strerror}") from None


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
