"""The store of data keys and token keys: made on first use, wrapped, rotated, destroyed for good.

    with KeyStore(path, FileKey(kek_path)) as store:
        key = store.current("north", "party:p-1", "name")     # for a new value
        secret = store.secret(Name(key_id, version), place)   # to open one

Processes share one file: of two that make the same key at once, one wins and both use its key.
"""

from __future__ import annotations

import base64
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.personal import key_tables
from pipeline.personal.envelope import KEY_BYTES, DataKey, Name, Place
from pipeline.personal.errors import CannotOpen, KeysUnavailable, PersonalDataError, PersonErased
from pipeline.personal.key_cache import CACHE_SECONDS, KeyCache
from pipeline.personal.key_tables import KeyRow, KeyTables, TokenRow
from pipeline.personal.wrapping import Wrapping

NAME_CHARS_MAX = 512
LISTED_MAX = 1_000
VERSIONS_MAX = 1_000
_COLUMNS = ", ".join(KeyRow._fields)


class Use(NamedTuple):
    """A use of a key, for an access log."""

    action: str
    """current, open, rotate, destroy, token."""
    tenant: str
    person: str
    """Empty of a token key."""
    field: str
    """Of a token key its purpose."""
    key_id: str
    version: int


class KeyInfo(NamedTuple):
    """What is known of a key, without its secret."""

    tenant: str
    person: str
    field: str
    key_id: str
    version: int
    kek_id: str
    created_at: int
    """Microseconds UTC."""


class KeyStore:
    """Data keys of persons and fields, and token keys of tenants."""

    def __init__(
        self,
        path: Path,
        wrapping: Wrapping,
        *,
        earlier: Sequence[Wrapping] = (),
        audit: Callable[[Use], None] = lambda use: None,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        """Open the store at a path, or make it.

        `wrapping` wraps what is new; `earlier` ones unwrap what they wrapped. `audit` is told of each use,
        before the key is given. Raises KeysUnavailable.
        """
        self.tables = KeyTables(path)
        self.wrapping = wrapping
        self._by_id = {one.key_id: one for one in (*earlier, wrapping)}
        self._audit, self._clock, self._elapsed = audit, clock, elapsed
        self._cache: KeyCache[tuple[KeyRow, bytes]] = KeyCache(elapsed, cache_seconds)
        self._token_cache: KeyCache[bytes] = KeyCache(elapsed, cache_seconds)

    def __enter__(self) -> Self:
        """Return the store, which is closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Forget all secrets and close the file."""
        for cache in (self._cache, self._token_cache):
            cache.clear()
        self.tables.close()

    def now(self) -> int:
        """Return the time, microseconds UTC."""
        return int(self._clock() * 1_000_000)

    def current(self, tenant: str, person: str, field: str) -> DataKey:
        """Return the newest key of a person and field, made where there is none.

        Raises PersonErased, KeysUnavailable, and PersonalDataError for a name that is empty or too long.
        """
        name = (tenant, person, field)
        read_at = self._elapsed()
        found = self._cache.get(name)
        if found is None:
            row = self._newest(*name) or self._added(*name, 1)
            found = row, self._unwrapped(row)
            self._cache.put(name, found, read_at)
        return self._given("current", *found)

    def secret(self, name: Name, place: Place) -> bytes:
        """Return the secret of a version of a key, to open a value at a place.

        Raises CannotOpen where there is no such key or it is of another person or field, PersonErased,
        KeysUnavailable.
        """
        read_at = self._elapsed()
        found = self._cache.get(name)
        if found is None:
            row = self._row(name, place)
            found = row, self._unwrapped(row)
            self._cache.put(name, found, read_at)
        row, _ = found
        if (row.tenant, row.person, row.field) != (place.tenant, place.person, place.field):
            raise CannotOpen(f"{place.field}: the value is of another tenant, person or field")
        return self._given("open", *found).secret

    def rotate(self, tenant: str, person: str, field: str) -> DataKey:
        """Make a new version of a key for what is written from now on; earlier values still open.

        Other processes use it within CACHE_SECONDS. Raises as `current`.
        """
        newest = self._newest(tenant, person, field)
        version = 1 if newest is None else newest.version + 1
        if version > VERSIONS_MAX:
            raise PersonalDataError(f"a key has at most {VERSIONS_MAX:,} versions")
        row = self._added(tenant, person, field, version, newest and newest.key_id)
        self._cache.drop(lambda name, _: name == (tenant, person, field))
        return self._given("rotate", row, self._unwrapped(row))

    def destroy(self, tenant: str, person: str) -> int:
        """Destroy all keys of a person: nothing of that person opens again; return how many keys there were.

        Again is no error. Other processes forget them within CACHE_SECONDS. Raises KeysUnavailable.
        """
        self._audit(Use("destroy", tenant, person, "", "", 0))
        with self.tables.changed() as database:
            count = key_tables.bury(database, tenant, person, self.now())
        self._cache.drop(lambda _, kept: kept[0][:2] == (tenant, person))
        self.tables.emptied_log()
        return count

    def keys(self, tenant: str, person: str | None = None, after: str = "") -> list[KeyInfo]:
        """Return what is known of a tenant's keys, or of a person's: by person, field and version.

        At most LISTED_MAX and the rest of a person; `after` is the last person that was listed.
        Raises KeysUnavailable.
        """
        which, values = ("person = ?", (person,)) if person is not None else ("person > ?", (after,))
        asked = (
            f"SELECT {_COLUMNS} FROM data_keys WHERE tenant = ? AND {which} ORDER BY person, field, version"
        )
        found: list[KeyInfo] = []
        with self.tables.reached() as database:
            for row in map(KeyRow._make, database.execute(asked, (tenant, *values))):
                if len(found) >= LISTED_MAX and row.person != found[-1].person:
                    break
                found.append(KeyInfo(*row[:3], row.key_id, row.version, row.kek_id, row.created_at))
        return found

    def token_key(self, tenant: str, purpose: str) -> bytes:
        """Return the key of a tenant's tokens of a purpose, made where there is none.

        Raises KeysUnavailable, and PersonalDataError for a name that is empty or too long.
        """
        name = (tenant, purpose)
        read_at = self._elapsed()
        secret = self._token_cache.get(name)
        if secret is None:
            row = self._token_row(*name)
            secret = self.wrapping_of(row.kek_id).unwrap(row.wrapped, row.context())
            self._token_cache.put(name, secret, read_at)
        self._audit(Use("token", tenant, "", purpose, "", 1))
        return secret

    def _given(self, action: str, row: KeyRow, secret: bytes) -> DataKey:
        self._audit(Use(action, row.tenant, row.person, row.field, row.key_id, row.version))
        return DataKey(row.key_id, row.version, secret)

    def _newest(self, tenant: str, person: str, field: str) -> KeyRow | None:
        asked = (
            f"SELECT {_COLUMNS} FROM data_keys WHERE tenant = ? AND person = ? AND field = ?"
            " ORDER BY version DESC LIMIT 1"
        )
        with self.tables.reached() as database:
            _require_alive(database, tenant, person)
            row = database.execute(asked, (tenant, person, field)).fetchone()
        return None if row is None else KeyRow._make(row)

    def _added(self, tenant: str, person: str, field: str, version: int, key_id: str | None = None) -> KeyRow:
        _require_names(tenant, person, field)
        name = key_id or base64.urlsafe_b64encode(os.urandom(12)).decode()
        row = KeyRow(tenant, person, field, version, name, self.wrapping.key_id, b"", self.now())
        row = row._replace(wrapped=self.wrapping.wrap(os.urandom(KEY_BYTES), row.context()))
        with self.tables.changed() as database:
            key_tables.add_keys(database, [row])
        # Another process may have made it first, or have destroyed the person's keys meanwhile.
        won = self._newest(tenant, person, field)
        if won is None:
            raise KeysUnavailable("a new key is not in the store")
        return won

    def _row(self, name: Name, place: Place) -> KeyRow:
        asked = f"SELECT {_COLUMNS} FROM data_keys WHERE key_id = ? AND version = ?"
        with self.tables.reached() as database:
            row = database.execute(asked, name).fetchone()
            if row is None:
                _require_alive(database, place.tenant, place.person)
                raise CannotOpen(f"{place.field}: the key store has no such key")
        return KeyRow._make(row)

    def _token_row(self, tenant: str, purpose: str) -> TokenRow:
        asked = f"SELECT {', '.join(TokenRow._fields)} FROM token_keys WHERE tenant = ? AND purpose = ?"
        with self.tables.reached() as database:
            found = database.execute(asked, (tenant, purpose)).fetchone()
        if found is None:
            _require_names(tenant, purpose)
            row = TokenRow(tenant, purpose, self.wrapping.key_id, b"", self.now())
            row = row._replace(wrapped=self.wrapping.wrap(os.urandom(KEY_BYTES), row.context()))
            with self.tables.changed() as database:
                key_tables.add_token_keys(database, [row])
                found = database.execute(asked, (tenant, purpose)).fetchone()
        return TokenRow._make(found)

    def _unwrapped(self, row: KeyRow) -> bytes:
        return self.wrapping_of(row.kek_id).unwrap(row.wrapped, row.context())

    def wrapping_of(self, kek_id: str) -> Wrapping:
        """Return the key-encryption key of a name. Raises KeysUnavailable where it is not here."""
        try:
            return self._by_id[kek_id]
        except KeyError:
            raise KeysUnavailable(
                f"a key is wrapped with {kek_id}, which is not here: name it as an earlier key"
            ) from None


def _require_alive(database: sqlite3.Connection, tenant: str, person: str) -> None:
    if key_tables.is_destroyed(database, tenant, person):
        raise PersonErased("the keys of this person were destroyed")


def _require_names(*names: str) -> None:
    if not all(0 < len(name) <= NAME_CHARS_MAX for name in names):
        raise PersonalDataError(f"a name of a key has 1 to {NAME_CHARS_MAX} characters")
