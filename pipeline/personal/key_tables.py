"""The tables of the key store: a SQLite file that only its owner can read.

    data_keys   a version of the key of a person and field, wrapped
    token_keys  the key of a tenant's tokens of a purpose, wrapped; one, since tokens must stay comparable
    destroyed   persons whose keys were destroyed; their rows never come back

Secrets are overwritten when they go (`secure_delete`), and the write-ahead log is emptied after it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.personal.envelope import length_prefixed
from pipeline.personal.errors import KeysUnavailable
from pipeline.runtime.secret_files import SecretFileError, require_private

BUSY_SECONDS = 5.0
LAYOUT = 1
"""In SQLite's `user_version`; another one was written by another version of Ledgerflow."""
_TABLES = """
CREATE TABLE IF NOT EXISTS data_keys (
    tenant TEXT NOT NULL, person TEXT NOT NULL, field TEXT NOT NULL, version INTEGER NOT NULL,
    key_id TEXT NOT NULL, kek_id TEXT NOT NULL, wrapped BLOB NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, person, field, version)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS data_keys_by_id ON data_keys (key_id, version);
CREATE INDEX IF NOT EXISTS data_keys_by_kek ON data_keys (kek_id);
CREATE TABLE IF NOT EXISTS token_keys (
    tenant TEXT NOT NULL, purpose TEXT NOT NULL, kek_id TEXT NOT NULL, wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL, PRIMARY KEY (tenant, purpose)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (
    tenant TEXT NOT NULL, person TEXT NOT NULL, destroyed_at INTEGER NOT NULL, PRIMARY KEY (tenant, person)
) WITHOUT ROWID;
"""


class KeyRow(NamedTuple):
    """A row of data_keys."""

    tenant: str
    person: str
    field: str
    version: int
    key_id: str
    kek_id: str
    wrapped: bytes
    created_at: int
    """Microseconds UTC."""

    def context(self) -> bytes:
        """Return what the wrapped key is bound to: rows cannot be swapped."""
        names = (self.tenant, self.person, self.field, self.key_id, str(self.version))
        return length_prefixed("ledgerflow data key 1", *names)


class TokenRow(NamedTuple):
    """A row of token_keys."""

    tenant: str
    purpose: str
    kek_id: str
    wrapped: bytes
    created_at: int

    def context(self) -> bytes:
        """Return what the wrapped key is bound to."""
        return length_prefixed("ledgerflow token key 1", self.tenant, self.purpose)


class KeyTables:
    """The file, for the threads of a process; other processes may have it open as well."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises KeysUnavailable."""
        self.path = path
        self._lock = threading.RLock()
        try:
            _make_private(path)
            require_private(path)
            self._database = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            with self.reached():
                self._prepare()
        except SecretFileError as error:
            raise KeysUnavailable(str(error)) from None
        except (OSError, sqlite3.Error) as error:
            raise KeysUnavailable(f"{path}: the key store cannot be opened: {error}") from None

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA secure_delete = ON")
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, LAYOUT):
            raise KeysUnavailable(f"{self.path} has layout {found}, written by another version than this one")
        self._database.executescript(_TABLES)
        self._database.execute(f"PRAGMA user_version = {LAYOUT}")

    def close(self) -> None:
        """Close the file; it cannot be used afterwards."""
        with self._lock:
            self._database.close()

    @contextmanager
    def reached(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread. Raises KeysUnavailable for what SQLite cannot do."""
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise KeysUnavailable(f"{self.path}: the key store cannot be used: {error}") from None

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """Give the connection within a transaction that is committed at the end. Raises KeysUnavailable."""
        with self.reached() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise

    @contextmanager
    def seen(self) -> Iterator[sqlite3.Connection]:
        """Give the connection within a transaction that only reads. Raises KeysUnavailable."""
        with self.reached() as database:
            database.execute("BEGIN")
            try:
                yield database
            finally:
                database.execute("ROLLBACK")

    def emptied_log(self) -> None:
        """Empty the write-ahead log: what was overwritten is still in it. Raises KeysUnavailable."""
        with self.reached() as database:
            busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise KeysUnavailable(f"{self.path}: another process is reading; try again to empty its log")


def is_destroyed(database: sqlite3.Connection, tenant: str, person: str) -> bool:
    """Return whether the keys of a person were destroyed."""
    asked = "SELECT 1 FROM destroyed WHERE tenant = ? AND person = ?"
    return database.execute(asked, (tenant, person)).fetchone() is not None


def add_keys(database: sqlite3.Connection, rows: list[KeyRow]) -> int:
    """Insert rows that are not there and whose persons' keys were not destroyed; return how many were."""
    values = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
    alive = "NOT EXISTS (SELECT 1 FROM destroyed WHERE tenant = ?1 AND person = ?2)"
    before = database.total_changes
    database.executemany(f"INSERT OR IGNORE INTO data_keys {values} WHERE {alive}", rows)
    return database.total_changes - before


def add_token_keys(database: sqlite3.Connection, rows: list[TokenRow]) -> None:
    """Insert rows that are not there."""
    database.executemany("INSERT OR IGNORE INTO token_keys VALUES (?, ?, ?, ?, ?)", rows)


def bury(database: sqlite3.Connection, tenant: str, person: str, at: int) -> int:
    """Delete the keys of a person for good; return how many there were."""
    database.execute("INSERT OR IGNORE INTO destroyed VALUES (?, ?, ?)", (tenant, person, at))
    return database.execute(
        "DELETE FROM data_keys WHERE tenant = ? AND person = ?", (tenant, person)
    ).rowcount


def _make_private(path: Path) -> None:
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
