"""The ordered index of one account while events are applied: stored rows, and what has changed since.

    add, remove -> in memory -> up, down, of_reference: both merged -> changes -> rows

What is added and removed within a run is never written. A short index is read completely at the first
look-up, and not scanned any more.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from sortedcontainers import SortedList

from pipeline.domain.kernel.rows import RowsBothWays, row_key
from pipeline.domain.reconciliation.desk.rows import INDEX

LOAD_PER_EVENT = 4
"""An index is read completely if it has at most this many rows for each event to be applied."""


class Index:
    """The index of an account (`blocking.OrderedKeys`). Its keys are those of blocking."""

    def __init__(self, rows: RowsBothWays, tenant_id: str, account_id: str, events: int) -> None:
        self._rows = rows
        self._head = row_key(INDEX, tenant_id, account_id, "")
        self._load_max = LOAD_PER_EVENT * events
        self._loaded: bool | None = None
        """Whether all of it is in memory; None: nobody has looked yet."""
        self._sorted = SortedList()
        """The keys in memory that are of no reference, in order, ..."""
        self._fresh: dict[bytes, None] = {}
        """... but for those that nobody has looked for yet: most are gone again by then."""
        self._held: dict[bytes, None] = {}
        """The keys in memory."""
        self._by_reference: dict[bytes, list[bytes]] = {}
        """Those of references, by what is before the item, in order."""
        self._stored: set[bytes] = set()
        """Those in memory that are rows."""
        self._gone: dict[bytes, None] = {}
        """Rows that are to be deleted."""

    def add(self, keys: Iterable[bytes]) -> None:
        """Add keys that are not in the index."""
        for key in keys:
            if key in self._held:
                continue
            if key in self._gone:
                del self._gone[key]
                self._stored.add(key)
            self._hold(key)

    def remove(self, keys: Iterable[bytes]) -> None:
        """Remove keys that are in the index."""
        for key in keys:
            if key not in self._held:
                self._gone[key] = None
                continue
            del self._held[key]
            if key in self._stored:
                self._stored.discard(key)
                self._gone[key] = None
            if key[:1] == b"r":
                self._by_reference[_before_item(key)].remove(key)
            elif key in self._fresh:
                del self._fresh[key]
            else:
                self._sorted.remove(key)

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the first keys in [low, high), ascending, at most `limit`."""
        is_loaded = self._is_loaded()
        held = self._held_up(low, high)
        if is_loaded:
            return list(islice(held, limit))
        return list(islice(merge(held, self._stored_up(low, high)), limit))

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the last keys in [low, high), descending, at most `limit`."""
        is_loaded = self._is_loaded()
        held = self._held_down(low, high)
        if is_loaded:
            return list(islice(held, limit))
        return list(islice(merge(held, self._stored_down(low, high), reverse=True), limit))

    def changes(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the changed rows: (key of the row, whether it is there now)."""
        for key in self._gone:
            yield self._head + key, False
        for key in self._held:
            if key not in self._stored:
                yield self._head + key, True

    def _hold(self, key: bytes) -> None:
        self._held[key] = None
        if key[:1] == b"r":
            insort(self._by_reference.setdefault(_before_item(key), []), key)
        else:
            self._fresh[key] = None

    def _is_loaded(self) -> bool:
        if self._loaded is None:
            found = [key for key, _ in islice(self._rows.scan(self._head), self._load_max + 1)]
            self._loaded = len(found) <= self._load_max
            for row in found if self._loaded else ():
                key = row[len(self._head) :]
                if key not in self._held and key not in self._gone:
                    self._stored.add(key)
                    self._hold(key)
        return self._loaded

    def _in_order(self) -> SortedList:
        """Return the keys in memory that are of no reference, in order."""
        if self._fresh:
            self._sorted.update(self._fresh)
            self._fresh.clear()
        return self._sorted

    def _held_up(self, low: bytes, high: bytes) -> Iterator[bytes]:
        if low[:1] == b"r":
            return (key for key in self._by_reference.get(low, ()) if low <= key < high)
        found: Iterator[bytes] = self._in_order().irange(low, high, (True, False))
        return found

    def _held_down(self, low: bytes, high: bytes) -> Iterator[bytes]:
        found: Iterator[bytes] = self._in_order().irange(low, high, (True, False), reverse=True)
        return found

    def _stored_up(self, low: bytes, high: bytes) -> Iterator[bytes]:
        head = len(self._head)
        for row, _ in self._rows.scan(self._head + _common(low, high), self._head + low):
            key = row[head:]
            if key >= high:
                return
            if key not in self._gone and key not in self._held:
                yield key

    def _stored_down(self, low: bytes, high: bytes) -> Iterator[bytes]:
        head = len(self._head)
        for row, _ in self._rows.scan_back(self._head + _common(low, high), self._head + high):
            key = row[head:]
            if key < low:
                return
            if key not in self._gone and key not in self._held:
                yield key


def _before_item(key: bytes) -> bytes:
    """Return the part of a reference's key before the item: side, reference, NUL."""
    return key[: key.index(b"\0") + 1]


def _common(low: bytes, high: bytes) -> bytes:
    """Return what two keys begin with alike: a narrow scan sees few of the rows that are not committed."""
    for place, (one, two) in enumerate(zip(low, high, strict=False)):
        if one != two:
            return low[:place]
    return low[: min(len(low), len(high))]
