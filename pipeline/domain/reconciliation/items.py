"""The postings and statement lines (items) of one account while its events are applied.

    rows -> item, or a search -> (rules) -> write -> changes -> rows

An item that was read is kept in memory, with its index entries. Its stored index rows may be out of date, so
searches ignore them. Items that were not read yet are found by a scan of the stored index. A short index is
read into memory completely, and not scanned any more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from heapq import merge, nsmallest
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from pipeline.domain.kernel.rows import PrefetchingRows, row_key
from pipeline.domain.reconciliation import rows as reconciliation_rows
from pipeline.domain.reconciliation.rows import (
    CANDIDATES_MAX,
    CLAIMED,
    OPEN,
    BankLine,
    Posting,
    decode,
    due_at_of,
    due_prefix,
    indexed_as,
    key_of,
    pack,
)
from pipeline.domain.reconciliation.sortable import amounts_under, sortable

LOAD_PER_EVENT = 4
"""An index is read completely if it has at most this many rows for each event to be applied."""

_Item = TypeVar("_Item", Posting, BankLine)
_Place = tuple[str, str, str]
_Entry = tuple[Any, ...]
_LONG_AGO, _NEVER = -(2**65), 2**65
_due_at = itemgetter(0)


class Items:
    """The items of one account.

    `amount_digits`: how many digits of an amount a search by date compares; `events`: how many events will be
    applied to the account.
    """

    def __init__(
        self, rows: PrefetchingRows, tenant_id: str, account_id: str, amount_digits: int, events: int = 1
    ) -> None:
        self.table = rows
        self.account = (tenant_id, account_id)
        self._amount_digits = amount_digits
        """How many digits of an amount a search by date compares."""
        self._load_max = LOAD_PER_EVENT * events
        self._items: dict[bytes, Any] = {}
        """The current items by key; None: there is none."""
        self._before: dict[bytes, Any] = {}
        """The stored state of changed items; None: there was none."""
        self._passed: dict[bytes, list[bytes]] | None = {} if events == 1 else None
        """Index rows that changed items had in between. A run of one event deletes them, stored or not."""
        self._by_reference: dict[_Place, list[_Entry]] = {}
        """The items in memory under (family, currency, reference), by amount, day and order."""
        self._by_date: dict[_Place, list[_Entry]] = {}
        """The items in memory under (family, currency, first digits of the amount), by day, amount, order."""
        self._entries: dict[bytes, list[tuple[list[_Entry], _Entry]]] = {}
        """The entries of each item in the two lists above."""
        self._loaded: dict[str, bool] = {}
        """By family of an index: whether it is in memory completely. No entry: it was not needed yet."""
        self._due: list[tuple[int, bytes]] = []
        """The open items in memory, in the order of their due times."""
        self._stored_due_from = _LONG_AGO
        """A lower bound of the due times of stored items that are not in memory, microseconds UTC."""

    def item(self, key: bytes, content: type[_Item]) -> _Item | None:
        """Return a posting or line, or None."""
        if key not in self._items:
            value = self.table.get(key)
            self._hold(key, None if value is None else decode(value, content))
        found: _Item | None = self._items[key]
        return found

    def write(self, item: Posting | BankLine) -> None:
        """Insert or replace an item; `item` must have been called for its key."""
        key = key_of(item)
        before = self._items[key]
        self._before.setdefault(key, before)
        if before is not None:
            if self._passed is not None:
                self._passed.setdefault(key, []).extend(reconciliation_rows.index_keys(before))
            for place, entry in self._entries.pop(key, ()):
                del place[bisect_left(place, entry)]
            if before.status == OPEN:
                del self._due[bisect_left(self._due, (before.due_at, key))]
        self._hold(key, item)

    def remove(self, key: bytes) -> None:
        """Delete an item that is claimed, so in no index; `item` must have been called for its key."""
        self._before.setdefault(key, self._items[key])
        self._items[key] = None

    def _hold(self, key: bytes, item: Posting | BankLine | None) -> None:
        self._items[key] = item
        if item is None or item.status == CLAIMED:
            return
        by_reference, references, by_date = indexed_as(item)
        currency, amount, day, order = item.currency, item.amount_minor, item.day, item.order
        entry: _Entry = (amount, day, order, item)
        entries = [
            (self._by_reference.setdefault((by_reference, currency, text), []), entry) for text in references
        ]
        if by_date:
            digits = sortable(amount)[: self._amount_digits]
            place = self._by_date.setdefault((by_date, currency, digits), [])
            entries.append((place, (day, amount, order, item)))
        for place, entry in entries:
            insort(place, entry)
        self._entries[key] = entries
        if item.status == OPEN:
            insort(self._due, (item.due_at, key))

    # --- searches

    def named(
        self,
        family: str,
        content: type[_Item],
        currency: str,
        references: Iterable[str],
        amounts: Iterable[str] = ("",),
    ) -> list[_Item]:
        """Return open items with one of the references and of the amount prefixes, in no order."""
        loaded = self._is_loaded(family)
        found: list[_Item] = []
        for text in references:
            held = self._by_reference.get((family, currency, text))
            if loaded and not held:
                continue
            for amount in amounts:
                items = _between(held, *amounts_under(amount), CANDIDATES_MAX) if held else []
                if not loaded:
                    prefix = row_key(family, *self.account, currency, text, amount)
                    items += self._scanned(prefix, content, CANDIDATES_MAX)
                found += _first(items, CANDIDATES_MAX)
        return found

    def may_be_named(self, family: str, currency: str, references: Iterable[str]) -> bool:
        """Return whether a search by reference can find anything, whatever the amount."""
        places = [(family, currency, text) for text in references]
        return not self._is_loaded(family) or not self._by_reference.keys().isdisjoint(places)

    def may_be_dated(self, family: str, currency: str, amounts: Iterable[str]) -> bool:
        """Return whether a search by date can find anything, whatever the day."""
        places = [(family, currency, amount) for amount in amounts]
        return not self._is_loaded(family) or not self._by_date.keys().isdisjoint(places)

    def dated(
        self, family: str, content: type[_Item], currency: str, day: int, amount: str, limit: int
    ) -> list[_Item]:
        """Return the first open items, at most `limit`, of a day and an amount prefix."""
        loaded = self._is_loaded(family)
        held = self._by_date.get((family, currency, amount))
        items = _between(held, day, day + 1, limit) if held else []
        if not loaded:
            prefix = row_key(family, *self.account, currency, sortable(day), amount)
            items += self._scanned(prefix, content, limit)
        return _first(items, limit)

    def _scanned(self, prefix: bytes, content: type[_Item], limit: int) -> list[_Item]:
        """Return the first items, at most `limit`, of an index that are not in memory yet."""
        keys = (key for _, key in self.table.scan(prefix) if key not in self._items)
        found = []
        for key in islice(keys, limit):
            item = self.item(key, content)
            assert item is not None  # an index row is written and deleted with its item
            found.append(item)
        return found

    def _is_loaded(self, family: str) -> bool:
        loaded = self._loaded.get(family)
        if loaded is None:
            loaded = self._loaded[family] = self._load(family)
        return loaded

    def _load(self, family: str) -> bool:
        """Read all items of an index into memory if they are few enough; return whether they were."""
        prefix = row_key(family, *self.account, "")
        keys = [key for _, key in islice(self.table.scan(prefix), self._load_max + 1)]
        if len(keys) > self._load_max:
            return False
        self.table.prefetch(keys)
        for key in keys:
            if key.startswith(b"o"):
                self.item(key, Posting)
            else:
                self.item(key, BankLine)
        return True

    def is_due(self, reached: int) -> bool:
        """Return whether an item may have fallen due."""
        return self._stored_due_from <= reached or bool(self._due and self._due[0][0] <= reached)

    def due(self, reached: int, limit: int) -> list[bytes]:
        """Return the keys of the first items, at most `limit`, that have fallen due."""
        held = self._due[: bisect_right(self._due, reached, key=_due_at)]
        found = list(islice(merge(held, self._stored_due(reached)), limit))
        return [key for _, key in found]

    def _stored_due(self, reached: int) -> Iterator[tuple[int, bytes]]:
        """Yield due items that are not in memory, in order; remember when the next one is due."""
        prefix = due_prefix(*self.account)
        for entry, key in self.table.scan(prefix):
            if key in self._items:
                continue
            due_at = due_at_of(entry, prefix)
            if due_at > reached:
                self._stored_due_from = due_at
                return
            yield due_at, key
        self._stored_due_from = _NEVER

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the changed rows, index rows included, as (key, value); value None: delete the row."""
        for key, before in self._before.items():
            item = self._items[key]
            yield key, None if item is None else pack(item)
            passed = () if self._passed is None else self._passed.get(key, ())
            if before is None and (item is None or item.status == CLAIMED) and not passed:
                continue  # it has never been in an index
            old = reconciliation_rows.index_keys(before) if before is not None else []
            new = reconciliation_rows.index_keys(item) if item is not None else []
            yield from ((entry, None) for entry in dict.fromkeys((*old, *passed)) if entry not in new)
            yield from ((entry, key) for entry in new if entry not in old)


def _between(entries: list[_Entry], low: int, high: int, limit: int) -> list[Any]:
    """Return the first items whose entry starts with a number from `low` up to but not including `high`."""
    start = bisect_left(entries, (low,))
    stop = min(bisect_left(entries, (high,)), start + limit)
    return [entry[3] for entry in entries[start:stop]]


def _first(items: list[_Item], limit: int) -> list[_Item]:
    """Return the first items in the order of their index."""
    if len(items) <= limit:
        return items
    return nsmallest(limit, items, key=lambda item: (item.amount_minor, item.day, item.order))
