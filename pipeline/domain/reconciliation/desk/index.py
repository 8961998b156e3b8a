"""The ordered index of one account while events are applied: stored rows, and what has changed since.

    add, remove -> in memory -> up, down: both merged -> changes -> rows

What is added and removed within a run is never written. It has sections: references, amounts and words of
each side, and matched items. A short section is read completely at the first look-up in it, and not scanned
any more: so open items of one side do not make look-ups of the other side slow.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from sortedcontainers import SortedList

from pipeline.domain.kernel.rows import RowsBothWays, row_key
from pipeline.domain.reconciliation.desk.rows import INDEX

LOAD_PER_EVENT = 4
"""A section is read completely if it has at most this many rows for each event to be applied."""
_REFERENCE, _SETTLED = b"r"[0], b"s"[0]
_NO_KEYS: list[bytes] = []


class Index:
    """The index of an account (`blocking.OrderedKeys`). Its keys are those of blocking."""

    def __init__(self, rows: RowsBothWays, tenant_id: str, account_id: str, events: int) -> None:
        self._rows = rows
        self._head = row_key(INDEX, tenant_id, account_id, "")
        self._load_max = LOAD_PER_EVENT * events
        self._loaded: dict[bytes, bool] = {}
        """Whether all of a section is in memory; of those in which somebody has looked."""
        self._sorted: defaultdict[bytes, SortedList] = defaultdict(SortedList)
        """The keys in memory that are of no reference, by section, in order, ..."""
        self._fresh: defaultdict[bytes, dict[bytes, None]] = defaultdict(dict)
        """... but for those that nobody has looked for yet: most are gone again by then."""
        self._held: dict[bytes, None] = {}
        """The keys in memory."""
        self._by_reference: dict[bytes, list[bytes]] = {}
        """Those of references, by what is before the item, in order."""
        self._references_held: Counter[bytes] = Counter()
        """How many of these there are, by section."""
        self._stored: set[bytes] = set()
        """Those in memory that are rows."""
        self._gone: dict[bytes, None] = {}
        """Rows that are to be deleted."""

    def add(self, keys: Iterable[bytes]) -> None:
        """Add keys that are not in the index."""
        held, gone = self._held, self._gone
        for key in keys:
            if key in held:
                continue
            if key in gone:
                del gone[key]
                self._stored.add(key)
            self._hold(key)

    def remove(self, keys: Iterable[bytes]) -> None:
        """Remove keys that are in the index."""
        held, stored = self._held, self._stored
        for key in keys:
            if key not in held:
                self._gone[key] = None
                continue
            del held[key]
            if key in stored:
                stored.discard(key)
                self._gone[key] = None
            if key[0] == _REFERENCE:
                self._drop_reference(key)
                continue
            section = _section_of(key)
            if key in self._fresh[section]:
                del self._fresh[section][key]
            else:
                self._sorted[section].remove(key)

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the first keys in [low, high), ascending, at most `limit`; all with a reference, or none."""
        section = _section_of(low)
        is_loaded = self._is_loaded(section)
        if low[0] == _REFERENCE:
            held = self._by_reference.get(low, _NO_KEYS)
            if is_loaded:
                return held[:limit]
        else:
            held = self._in_order(section).irange(low, high, (True, False))
            if is_loaded:
                return list(islice(held, limit))
        return list(islice(merge(held, self._stored_up(low, high)), limit))

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the last keys in [low, high), descending, at most `limit`; not of references."""
        section = _section_of(low)
        is_loaded = self._is_loaded(section)
        held = self._in_order(section).irange(low, high, (True, False), reverse=True)
        if is_loaded:
            return list(islice(held, limit))
        return list(islice(merge(held, self._stored_down(low, high), reverse=True), limit))

    def of_references(self, side: bytes, references: Iterable[str], limit: int) -> list[bytes]:
        """Return the keys of items of a side (`blocking.side_of`) with one of some references, each once.

        At most `limit` of each reference.
        """
        section = b"r" + side
        if self._is_loaded(section) and not self._references_held[section]:
            return _NO_KEYS
        found: dict[bytes, None] = {}
        for one in references:
            head = section + one.encode() + b"\0"
            for key in self.up(head, head + b"\xff", limit):
                found[key[len(head) :]] = None
        return list(found)

    def changes(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the changed rows: (key of the row, whether it is there now)."""
        for key in self._gone:
            yield self._head + key, False
        for key in self._held:
            if key not in self._stored:
                yield self._head + key, True

    def _hold(self, key: bytes) -> None:
        self._held[key] = None
        if key[0] == _REFERENCE:
            head = key[: key.index(b"\0") + 1]
            self._references_held[key[:2]] += 1
            known = self._by_reference.get(head)
            if known is None:
                self._by_reference[head] = [key]
            else:
                insort(known, key)
        else:
            self._fresh[_section_of(key)][key] = None

    def _drop_reference(self, key: bytes) -> None:
        head = key[: key.index(b"\0") + 1]
        self._references_held[key[:2]] -= 1
        known = self._by_reference[head]
        if len(known) > 1:
            known.remove(key)
        else:
            del self._by_reference[head]

    def _is_loaded(self, section: bytes) -> bool:
        loaded = self._loaded.get(section)
        if loaded is None:
            prefix, start = self._head + section, len(self._head)
            found = [key for key, _ in islice(self._rows.scan(prefix), self._load_max + 1)]
            loaded = self._loaded[section] = len(found) <= self._load_max
            for row in found if loaded else ():
                key = row[start:]
                if key not in self._held and key not in self._gone:
                    self._stored.add(key)
                    self._hold(key)
        return loaded

    def _in_order(self, section: bytes) -> SortedList:
        """Return the keys in memory of a section that is not of references, in order."""
        in_order, fresh = self._sorted[section], self._fresh[section]
        if fresh:
            in_order.update(fresh)
            fresh.clear()
        return in_order

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


def _section_of(key: bytes) -> bytes:
    """Return what the keys of a section begin with: letter and side; of matched items the letter."""
    return key[:1] if key[0] == _SETTLED else key[:2]


def _common(low: bytes, high: bytes) -> bytes:
    """Return what two keys begin with alike: a narrow scan sees few of the rows that are not committed."""
    for place, (one, two) in enumerate(zip(low, high, strict=False)):
        if one != two:
            return low[:place]
    return low[: min(len(low), len(high))]
