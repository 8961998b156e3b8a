"""Rows in memory that are kept in order: a scan of a few rows costs little, however many there are.

A scan is lazy. Before a row of it is written, what is left of it is copied: later writes are not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from weakref import WeakSet

from sortedcontainers import SortedDict

_ROWS = 32
"""Rows that a scan reads at once."""


class OrderedRows:
    """`kernel.rows.PrefetchingRows`, and scans from the end."""

    def __init__(self) -> None:
        self.data = SortedDict()
        self._scans: WeakSet[_Scan] = WeakSet()

    def get(self, key: bytes) -> bytes | None:
        """Return the value, or None where there is no row."""
        value: bytes | None = self.data.get(key)
        return value

    def prefetch(self, keys: Iterable[bytes]) -> None:
        """Do nothing: everything is in memory."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return `get` of each key."""
        return list(map(self.data.get, keys))

    def put_many(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Insert or replace rows: (key, value)."""
        for key, value in rows:
            self.put(key, value)

    def put(self, key: bytes, value: bytes) -> None:
        """Insert or replace a row."""
        self._before_write(key)
        self.data[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a row; nothing happens where there is none."""
        self._before_write(key)
        self.data.pop(key, None)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is above `after`, in key order."""
        return self._scan(prefix, after, None)

    def scan_back(self, prefix: bytes, before: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the rows whose key starts with `prefix` and is below `before`, the last one first."""
        return self._scan(prefix, b"", before)

    def _scan(self, prefix: bytes, after: bytes, before: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        found = _Scan(self.data, prefix, after, before)
        self._scans.add(found)
        return found

    def _before_write(self, key: bytes) -> None:
        if self._scans:
            for scan in list(self._scans):
                if key.startswith(scan.prefix):
                    scan.copy_rest()


class _Scan(Iterator[tuple[bytes, bytes]]):
    """Rows under a prefix that are still to come."""

    def __init__(self, data: SortedDict, prefix: bytes, after: bytes, before: bytes | None) -> None:
        self.prefix = prefix
        self._data = data
        self._before = None if before is None else _end(prefix, before)
        """The key that was read last; of a scan from the end. None: it goes forward."""
        self._last = max(prefix, after)
        """The key that was read last; of a scan forward."""
        self._first_counts = after < prefix
        self._rows: Iterator[tuple[bytes, bytes]] = iter(())
        self._is_complete = False

    def __next__(self) -> tuple[bytes, bytes]:
        row = next(self._rows, None)
        if row is None and not self._is_complete:
            self._read(_ROWS)
            row = next(self._rows, None)
        if row is None:
            raise StopIteration
        return row

    def copy_rest(self) -> None:
        """Read all that is left: something of it is about to be written."""
        if not self._is_complete:
            known = list(self._rows)
            self._read(None)
            self._rows = iter([*known, *self._rows])

    def _read(self, most: int | None) -> None:
        rows = [(key, self._data[key]) for key in islice(self._keys(), most)]
        self._is_complete = most is None or len(rows) < most
        if rows:
            if self._before is None:
                self._last, self._first_counts = rows[-1][0], False
            else:
                self._before = rows[-1][0]
        self._rows = iter(rows)

    def _keys(self) -> Iterator[bytes]:
        if self._before is None:
            keys = self._data.irange(self._last, None, (self._first_counts, True))
        else:
            keys = self._data.irange(None, self._before, (True, False), reverse=True)
        for key in keys:
            if not key.startswith(self.prefix):
                return
            yield key


def _end(prefix: bytes, before: bytes) -> bytes:
    """Return what is above all keys that start with a prefix and are below `before`, and below all others."""
    cut = prefix.rstrip(b"\xff")
    return min(before, cut[:-1] + bytes((cut[-1] + 1,))) if cut else before
