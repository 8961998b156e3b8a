"""API keys of programs: `lfk_<id>_<secret>`; made once, shown once, kept as a hash.

The secret is 32 random bytes, so its SHA-256 needs no salt and no stretching. A key has roles in tenants,
may be limited to some permissions, ends within 400 days, and can be revoked. It is in one SQLite file beside
the data, which several gateways of a machine share. A key that was found is remembered, by its hash, until
anybody changes the file: SQLite says at each request whether somebody has.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.gateway.identity.principal import Principal, check_name
from pipeline.gateway.identity.sqlite_files import opened

ISSUER = "ledgerflow-keys"
FILE_NAME = "gateway-keys.sqlite"
DAYS_MAX = 400
NAME_CHARS = 12
REMEMBERED_MAX = 10_000
DAY_US = 86_400_000_000
_KEY = re.compile(r"lfk_([0-9a-z]{12})_([A-Za-z0-9_-]{43})").fullmatch
_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
  key_id TEXT PRIMARY KEY, hash BLOB NOT NULL, subject TEXT NOT NULL, roles BLOB NOT NULL,
  accounts BLOB NOT NULL, scopes BLOB, made_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT
"""


class KeyRefused(ValueError):
    """A key cannot be made as it is asked for. The text is one line."""


class UnknownKey(LookupError):
    """A text is no key that is in force. The text of the error is for the caller."""


class ApiKey(NamedTuple):
    """What is known of a key. Times are microseconds UTC."""

    key_id: str
    subject: str
    roles: dict[str, list[str]]
    """By tenant."""
    accounts: dict[str, list[str]]
    """Own accounts by tenant, of a customer."""
    scopes: list[str] | None
    """Permissions that it is limited to; None: all that its roles allow."""
    made_at: int
    expires_at: int
    revoked_at: int | None


class Keys:
    """The keys in a file, which processes and threads share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._watching: sqlite3.Connection | None = None
        self._version = 0
        """Of the file, when what is remembered was read."""
        self._remembered: dict[bytes, Principal] = {}
        """By the hash of the key's text."""

    def create(
        self,
        subject: str,
        roles: Mapping[str, list[str]],
        days: int,
        scopes: list[str] | None = None,
        accounts: Mapping[str, list[str]] | None = None,
    ) -> tuple[str, ApiKey]:
        """Make a key; return its text, which is kept nowhere, and what is kept.

        Raises KeyRefused for a bad lifetime, PrincipalError for a bad subject, OSError, sqlite3.Error.
        """
        check_name("subject", subject)
        if not 1 <= days <= DAYS_MAX:
            raise KeyRefused(f"a key is good for 1 to {DAYS_MAX} days, not {days}")
        key_id = "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(NAME_CHARS))
        secret, now = secrets.token_urlsafe(32), time.time_ns() // 1_000
        made = ApiKey(
            *(key_id, subject, dict(roles), dict(accounts or {}), scopes, now, now + days * DAY_US, None)
        )
        with self._opened() as database:
            database.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    *(key_id, _hash(secret), subject, _packed(made.roles), _packed(made.accounts)),
                    *(None if scopes is None else _packed(scopes), made.made_at, made.expires_at),
                ),
            )
        return f"lfk_{key_id}_{secret}", made

    def all(self) -> list[ApiKey]:
        """Return every key, the newest first. Raises sqlite3.Error."""
        with self._opened() as database:
            return [_key(row) for row in database.execute("SELECT * FROM keys ORDER BY made_at DESC")]

    def revoke(self, key_id: str) -> bool:
        """End a key at once; return whether there is such a one that was not revoked before."""
        with self._opened() as database:
            changed = database.execute(
                "UPDATE keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL",
                (time.time_ns() // 1_000, key_id),
            )
            return changed.rowcount == 1

    def remembered(self, text: str) -> Principal | None:
        """Return whom a key stands for, None where only `principal` can tell. It waits for nobody."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            found = self._remembered.get(_hash(text))
            if found is None or found.expires_at <= time.time_ns() // 1_000:
                return None
            return found if self._version_now() == self._version else None
        except sqlite3.Error:
            return None
        finally:
            self._lock.release()

    def principal(self, text: str) -> Principal:
        """Return whom a key stands for. Raises UnknownKey for one that is unknown, over or revoked."""
        found = _KEY(text)
        row = None
        if found is not None:
            with self._opened() as database:
                version = self._version_now()  # first: a change after it is seen at the next request
                row = database.execute("SELECT * FROM keys WHERE key_id = ?", (found[1],)).fetchone()
        kept = b"\0" * 32 if row is None else row[1]
        right = hmac.compare_digest(kept, _hash(found[2] if found is not None else ""))
        if row is None or not right or not _is_in_force(row):
            raise UnknownKey("the key is unknown, over or revoked")
        principal = _principal(_key(row))
        with self._lock:
            if version != self._version or len(self._remembered) >= REMEMBERED_MAX:
                self._version = version
                self._remembered.clear()
            self._remembered[_hash(text)] = principal
        return principal

    def again(self, key_id: str) -> Principal | None:
        """Return whom a key stands for now, None where it is over or revoked. Raises sqlite3.Error."""
        with self._opened() as database:
            row = database.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
        return None if row is None or not _is_in_force(row) else _principal(_key(row))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Yield the file for one thread at a time; it is opened at the first use."""
        with self._lock:
            if self._database is None:
                self._database = opened(self._path, _SCHEMA)
                # By itself, since SQLite tells a connection of the changes of others only; with no patience.
                self._watching = sqlite3.connect(
                    self._path, 0.0, isolation_level=None, check_same_thread=False
                )
            yield self._database

    def _version_now(self) -> int:
        """Return a number that is another one after each change of the file. Raises sqlite3.Error."""
        assert self._watching is not None
        (version,) = self._watching.execute("PRAGMA data_version").fetchone()
        return int(version)


def _is_in_force(row: tuple[Any, ...]) -> bool:
    return row[8] is None and time.time_ns() // 1_000 < row[7]


def _principal(key: ApiKey) -> Principal:
    return Principal(
        issuer=ISSUER,
        subject=key.subject,
        key_id=key.key_id,
        roles={tenant: frozenset(names) for tenant, names in key.roles.items()},
        accounts={tenant: frozenset(names) for tenant, names in key.accounts.items()},
        expires_at=key.expires_at,
        scopes=None if key.scopes is None else frozenset(key.scopes),
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _packed(value: object) -> bytes:
    return msgspec.json.encode(value)


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, _, subject, roles, accounts, scopes, *times = row
    limits = None if scopes is None else msgspec.json.decode(scopes, type=list[str])
    granted, owned = (msgspec.json.decode(raw, type=dict[str, list[str]]) for raw in (roles, accounts))
    return ApiKey(key_id, subject, granted, owned, limits, *times)
