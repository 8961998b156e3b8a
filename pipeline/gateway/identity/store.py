"""Where sessions, one-time links, passkeys and grants are kept: entries by kind and name, each with an end.

    put, get, swap (only what was not changed meanwhile), take (once), entries, delete, sweep

`Store` is what a database has to do; `SqliteStore` does it in one file of mode 0600, which the gateways
of a machine share. Secrets are not kept here, only their hashes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from pipeline.gateway.identity.sqlite_files import opened

FILE_NAME = "gateway-identity.sqlite"
ENTRY_BYTES_MAX = 16_384
ENTRIES_MAX = 100_000
"""Of one kind."""
LISTED_MAX = 1_000
_T = TypeVar("_T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  kind TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, value BLOB NOT NULL, ends_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_owner ON entries (kind, owner);
CREATE INDEX IF NOT EXISTS entries_by_end ON entries (ends_at);
"""
_ALIVE = "kind = ? AND name = ? AND ends_at > ?"


class StoreFull(Exception):
    """There are ENTRIES_MAX entries of a kind, or an entry is larger than ENTRY_BYTES_MAX."""


class Entry(NamedTuple):
    """What is kept under a name."""

    name: str
    owner: str
    """Whom it belongs to."""
    value: bytes
    ends_at: int
    """When it is gone, microseconds UTC."""


class Store(Protocol):
    """Keeps entries. What has ended is as if it were not there. Every method may raise OSError."""

    async def put(self, kind: str, entry: Entry) -> None:
        """Keep an entry, in the place of one of the same name. Raises StoreFull."""

    async def get(self, kind: str, name: str) -> Entry | None:
        """Return an entry, None where there is none."""

    async def swap(self, kind: str, before: Entry, after: Entry) -> bool:
        """Replace an entry by another of its name; return False where it is not as it was, and do nothing."""

    async def take(self, kind: str, name: str) -> Entry | None:
        """Return an entry and delete it: of several that ask, one gets it."""

    async def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        """Return the entries of an owner, or of all: LISTED_MAX of one, ENTRIES_MAX of all at most."""

    async def delete(self, kind: str, name: str) -> bool:
        """Delete an entry; return whether there was one."""

    async def sweep(self) -> int:
        """Delete what has ended; return how many."""


class SqliteUnavailable(OSError):
    """The file cannot be used. The text is one line."""


class SqliteStore:
    """A store in a file of SQLite. Its work is done in threads, one at a time."""

    def __init__(self, path: Path) -> None:
        """Raises SqliteUnavailable."""
        self._lock = threading.Lock()
        try:
            self._database = opened(path, _SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise SqliteUnavailable(f"{path} cannot be used: {error}") from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    async def put(self, kind: str, entry: Entry) -> None:
        """Keep an entry. Raises StoreFull, SqliteUnavailable."""
        if len(entry.value) > ENTRY_BYTES_MAX:
            raise StoreFull(f"an entry has at most {ENTRY_BYTES_MAX} bytes")
        there = "EXISTS (SELECT 1 FROM entries WHERE kind = ? AND name = ?)"
        room = f"{there} OR (SELECT count(*) FROM entries WHERE kind = ?) < ?"
        text = f"INSERT OR REPLACE INTO entries SELECT ?, ?, ?, ?, ? WHERE {room}"
        bound = (kind, *entry, kind, entry.name, kind, ENTRIES_MAX)
        if await self._changed(text, bound) == 0:
            raise StoreFull(f"there are {ENTRIES_MAX} entries of the kind {kind}")

    async def get(self, kind: str, name: str) -> Entry | None:
        """Return an entry. Raises SqliteUnavailable."""
        found = await self._found(f"{_COLUMNS} WHERE {_ALIVE}", (kind, name, _now()))
        return found[0] if found else None

    async def swap(self, kind: str, before: Entry, after: Entry) -> bool:
        """Replace an entry if it is as it was. Raises SqliteUnavailable."""
        text = f"UPDATE entries SET owner = ?, value = ?, ends_at = ? WHERE {_ALIVE} AND value = ?"
        bound = (after.owner, after.value, after.ends_at, kind, before.name, _now(), before.value)
        return await self._changed(text, bound) == 1

    async def take(self, kind: str, name: str) -> Entry | None:
        """Return an entry and delete it. Raises SqliteUnavailable."""
        text = f"DELETE FROM entries WHERE {_ALIVE} RETURNING name, owner, value, ends_at"
        found = await self._found(text, (kind, name, _now()))
        return found[0] if found else None

    async def entries(self, kind: str, owner: str | None = None) -> list[Entry]:
        """Return entries by their names. Raises SqliteUnavailable."""
        if owner is None:
            bound: tuple[object, ...] = (kind, _now(), ENTRIES_MAX)
            return await self._found(
                f"{_COLUMNS} WHERE kind = ? AND ends_at > ? ORDER BY name LIMIT ?", bound
            )
        text = f"{_COLUMNS} WHERE kind = ? AND owner = ? AND ends_at > ? ORDER BY name LIMIT ?"
        return await self._found(text, (kind, owner, _now(), LISTED_MAX))

    async def delete(self, kind: str, name: str) -> bool:
        """Delete an entry. Raises SqliteUnavailable."""
        return await self._changed(f"DELETE FROM entries WHERE {_ALIVE}", (kind, name, _now())) == 1

    async def sweep(self) -> int:
        """Delete what has ended. Raises SqliteUnavailable."""
        return await self._changed("DELETE FROM entries WHERE ends_at <= ?", (_now(),))

    async def _found(self, text: str, bound: tuple[object, ...]) -> list[Entry]:
        def read(database: sqlite3.Connection) -> list[Entry]:
            return [Entry(*row) for row in database.execute(text, bound).fetchall()]

        return await asyncio.to_thread(self._done, read)

    async def _changed(self, text: str, bound: tuple[object, ...]) -> int:
        return await asyncio.to_thread(self._done, lambda database: database.execute(text, bound).rowcount)

    def _done(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with self._lock:
                return work(self._database)
        except sqlite3.Error as error:
            raise SqliteUnavailable(f"the file of identities cannot be used: {error}") from None


_COLUMNS = "SELECT name, owner, value, ends_at FROM entries"


def _now() -> int:
    return time.time_ns() // 1_000
