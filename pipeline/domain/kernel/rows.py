"""The rows of one table partition, as the domain sees them: an ordered map of bytes to bytes.

A key is one family letter, then the parts of the key, each after a NUL byte: `a NUL tenant NUL account`.
A value starts with one byte that names its layout (`layouts`), so that older rows can still be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol


def row_key(family: str, *parts: str) -> bytes:
    """Return the key of a row: the family letter and its parts, NUL-separated, UTF-8."""
    return "\0".join((family, *parts)).encode()


class Rows(Protocol):
    """One partition of a table. Reads see every earlier write, committed or not."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value, or None where there is no row."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Insert or replace a row."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is above `after`, in key order.

        Later writes are not seen.
        """
        ...


class PrefetchingRows(Rows, Protocol):
    """Rows that can read and write many at once."""

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Read in one call the rows that will be needed soon."""
        ...

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return `get` of each key."""
        ...

    def put_many(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Insert or replace rows: (key, value)."""
        ...


class RowsBothWays(PrefetchingRows, Protocol):
    """Rows that can be scanned from either end."""

    def scan_back(self, prefix: bytes, before: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is below `before`, the last one first.

        Later writes are not seen.
        """
        ...


class MemoryRows:
    """`Rows` in a dict: for tests, and for replays that need no disk."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value, or None where there is no row."""
        return self.data.get(key)

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Do nothing: everything is in memory."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return `get` of each key."""
        return list(map(self.data.get, keys))

    def put_many(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Insert or replace rows: (key, value)."""
        for key, value in rows:  # one by one, so that a test that wraps `put` sees every row
            self.put(key, value)

    def put(self, key: bytes, value: bytes) -> None:
        """Insert or replace a row."""
        self.data[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""
        self.data.pop(key, None)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the rows whose key starts with `prefix` and is above `after`, in key order."""
        found = sorted(key for key in self.data if key.startswith(prefix) and key > after)
        return iter([(key, self.data[key]) for key in found])

    def scan_back(self, prefix: bytes, before: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows whose key starts with `prefix` and is below `before`, the last one first."""
        found = sorted((key for key in self.data if key.startswith(prefix) and key < before), reverse=True)
        return iter([(key, self.data[key]) for key in found])
