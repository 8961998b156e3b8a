"""The items of one account while its events are applied, with what is found by them: index, due times.

Each is decoded once and written once. What a run of clean references neither looks at nor leaves behind costs
nothing: words of an item are worked out when somebody asks for them, index and day when somebody looks.
"""

from __future__ import annotations

from pipeline.domain.kernel.rows import RowsBothWays, row_key
from pipeline.domain.reconciliation.breaks.rows import day_key
from pipeline.domain.reconciliation.breaks.summary import WAITING
from pipeline.domain.reconciliation.desk.day_counts import DayCounts
from pipeline.domain.reconciliation.desk.due_times import DueTimes
from pipeline.domain.reconciliation.desk.index import Index
from pipeline.domain.reconciliation.desk.items import (
    NO_TEXTS,
    Texts,
    booked_day_of,
    index_keys,
    settled_keys,
    with_words,
)
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    MARK,
    OPEN,
    Entry,
    Line,
    Posting,
    decode,
    due_key,
    pack,
    row_of,
)
from pipeline.domain.reconciliation.desk.waiting import Waiting


class AccountItems:
    """Postings and lines of an account, by their keys in it."""

    def __init__(self, rows: RowsBothWays, tenant_id: str, account_id: str, events: int) -> None:
        """`events`: how many will be applied."""
        self.table = rows
        self.account = (tenant_id, account_id)
        self.part = row_key("", tenant_id, account_id)
        """NUL tenant NUL account: what is between the letter and the rest of a row key."""
        self._items: dict[bytes, Entry | None] = {}
        self._before: dict[bytes, Entry | None] = {}
        """The stored state of changed items; None: there was none."""
        self._texts: dict[bytes, Texts] = {}
        self._keys: dict[bytes, list[bytes]] = {}
        """The index keys of items that were written here, as they are now."""
        self.due_times = DueTimes(rows, self.part, self._items)
        self.waiting = Waiting()
        """Items of `wait` for which nobody has looked yet."""
        self.raw_index = Index(rows, tenant_id, account_id, events)
        """The index without what is in `waiting`."""
        self.day_counts = DayCounts()
        """What days count more than their rows say yet."""

    def item(self, key: bytes) -> Entry | None:
        """Return a posting or line by its key in the account, or None."""
        if key not in self._items:
            value = self.table.get(row_of(self.part, key))
            content: type[Posting] | type[Line] = Posting if key[:1] == b"o" else Line
            entry = None if value is None else decode(value, content)
            self._items[key] = entry
            if entry is not None and entry.status == OPEN:
                self.due_times.add(entry.due_at, key)
        return self._items[key]

    def worded(self, key: bytes) -> Entry:
        """Return an item that is there, with its words."""
        entry = self.item(key)
        assert entry is not None  # it is in the index, or an end of an edge
        texts = self._texts.pop(key, None)
        if texts is None:
            return entry
        return self.write(with_words(entry, texts))

    def write(self, entry: Entry, texts: Texts = NO_TEXTS) -> Entry:
        """Insert or replace an item and return it; `texts` of a new one, whose words are not worked out."""
        key = entry.key
        if key in self.waiting.items:
            self.settle_in()
        before = self.item(key)
        self._before.setdefault(key, before)
        if before is not None and before.status == OPEN:
            self.due_times.drop(before.due_at, key)
        if texts is not NO_TEXTS:
            self._texts[key] = texts
        old = self._keys_of(key, before)
        new = self._keys[key] = _keys_by(entry)
        if not old or not new:
            self.raw_index.remove(old)
            self.raw_index.add(new)
        elif old != new:
            self.raw_index.remove([one for one in old if one not in new])
            self.raw_index.add([one for one in new if one not in old])
        self._items[key] = entry
        if entry.status == OPEN:
            self.due_times.add(entry.due_at, key)
        return entry

    def wait(self, key: bytes, entry: Entry, texts: Texts) -> None:
        """Insert an open item that has no row; until `settle_in`, it is in no index and on no day."""
        self._before.setdefault(key, None)
        self._items[key] = entry
        self._texts[key] = texts
        self.due_times.add(entry.due_at, key)
        self.waiting.add(key, entry)

    def waiting_claimed(self, key: bytes, entry: Entry) -> None:
        """Let an item wait no more (`wait`): `add_claimed` inserts it as it is now."""
        self.waiting.take(key)
        self.due_times.drop(entry.due_at, key)
        self._texts.pop(key, None)

    def add_claimed(self, key: bytes, entry: Entry) -> None:
        """Insert an item that has no row, in which it is claimed."""
        self._before.setdefault(key, None)
        self._items[key] = entry
        keys = self._keys[key] = settled_keys(entry)
        self.raw_index.add(keys)

    @property
    def index(self) -> Index:
        """The index, with all open items in it."""
        if self.waiting.items:
            self.settle_in()
        return self.raw_index

    def settle_in(self) -> None:
        """Put what waits (`wait`) into the index, and count it on its day."""
        for key, entry in self.waiting.take_all().items():
            keys = self._keys[key] = index_keys(entry)
            self.raw_index.add(keys)
            day = day_key(*self.account, entry.currency, booked_day_of(entry))
            self.day_counts.add(day, isinstance(entry, Line), WAITING, 1, entry.amount_minor)

    def forget_texts(self, key: bytes) -> None:
        """Leave an item without words: it is claimed before anybody needed them."""
        self._texts.pop(key, None)

    def remove(self, key: bytes) -> None:
        """Delete an item."""
        entry = self.item(key)
        assert entry is not None and entry.status != OPEN  # what is open is not forgotten
        self._before.setdefault(key, entry)
        self.raw_index.remove(self._keys_of(key, entry))
        self._keys[key] = []
        self._items[key] = None

    def _keys_of(self, key: bytes, entry: Entry | None) -> list[bytes]:
        """Return the index keys that an item has now."""
        known = self._keys.get(key)
        if known is None:
            known = [] if entry is None else _keys_by(entry)
        return known

    def close_items(self) -> list[tuple[bytes, bytes]]:
        """Delete the rows of items, index and due times that are there no more; return those to be put."""
        self.settle_in()
        for key in list(self._texts):  # still open: whoever reads the row needs the words
            self.worded(key)
        there: list[tuple[bytes, bytes]] = []
        for key, before in self._before.items():
            after = self._items[key]
            if before is None and after is not None and after.status != OPEN:
                there.append((row_of(self.part, key), pack(after)))  # as most: it never fell due
            else:
                self._write(key, before, after, there)
        for key, is_there in self.raw_index.changes():
            if is_there:
                there.append((key, MARK))
            else:
                self.table.delete(key)
        return there

    def _write(
        self, key: bytes, before: Entry | None, after: Entry | None, there: list[tuple[bytes, bytes]]
    ) -> None:
        """Delete the rows of an item that are there no more; add to `there` those that are."""
        row = row_of(self.part, key)
        old = due_key(self.part, before.due_at, key) if before is not None and before.status == OPEN else None
        new = due_key(self.part, after.due_at, key) if after is not None and after.status == OPEN else None
        if old is not None and old != new:
            self.table.delete(old)
        if new is not None and old != new:
            there.append((new, row))
        if after is None:
            self.table.delete(row)
        else:
            there.append((row, pack(after)))


def _keys_by(entry: Entry) -> list[bytes]:
    """Return the keys that an item has in the index."""
    return settled_keys(entry) if entry.status == CLAIMED else index_keys(entry)
