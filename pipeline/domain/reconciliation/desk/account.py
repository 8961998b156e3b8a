"""The rows of one account while its events are applied: decoded once, written once.

    rows -> AccountDesk -> (the rules read and change items, edges, other rows) -> close -> rows

The row path opens one for an event, the batch path one for all events of a run. Both leave the same rows.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pipeline.domain.kernel.layouts import RowClasses
from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import RowsBothWays, row_key
from pipeline.domain.reconciliation.breaks.rows import DAY_ROW, Day, day_key
from pipeline.domain.reconciliation.breaks.summary import WAITING
from pipeline.domain.reconciliation.chain import rows as chain
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
from pipeline.domain.reconciliation.desk.knowledge import Knowledge
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    CLASSES,
    DESK_ROW,
    EDGES_ROW,
    MARK,
    OPEN,
    Desk,
    Edges,
    Entry,
    Line,
    Posting,
    Watermark,
    decode,
    due_key,
    pack,
    row_of,
)
from pipeline.domain.reconciliation.desk.waiting import Waiting
from pipeline.domain.reconciliation.item_rows import ENDED, WATERMARK_ROW

_Row = TypeVar("_Row", bound=msgspec.Struct)
_ROWS = RowClasses({**CLASSES.kinds, **chain.CLASSES.kinds, Day: DAY_ROW})


class AccountDesk:
    """The rows of one account; it serves `chain.findings.ChainRows` and `knowledge.Stored`, too."""

    def __init__(
        self, rows: RowsBothWays, tenant_id: str, account_id: str, keep_us: int, events: int = 1
    ) -> None:
        """`keep_us`: how long what has ended is kept, event time; `events`: how many will be applied."""
        self.table = rows
        self.account = (tenant_id, account_id)
        self.part = row_key("", tenant_id, account_id)
        """NUL tenant NUL account: what is between the letter and the rest of a row key."""
        self.record_key = f"{tenant_id}/{account_id}"
        """The key of what is said about the account."""
        self.keep_us = keep_us
        """How long what has ended is kept, event time."""
        self._items: dict[bytes, Entry | None] = {}
        self._before: dict[bytes, Entry | None] = {}
        """The stored state of changed items; None: there was none."""
        self._texts: dict[bytes, Texts] = {}
        self._keys: dict[bytes, list[bytes]] = {}
        """The index keys of items that were written here, as they are now."""
        self.due_times = DueTimes(rows, self.part, self._items)
        self.waiting = Waiting()
        self._others: dict[bytes, Any] = {}
        self._changed: dict[bytes, None] = {}
        self.day_counts = DayCounts()
        """What days count more than `get` has read; `get` works it in."""
        self._ended: Queue | None = None
        self.to_sweep: list[bytes] = []
        """The keys of rows whose windows may be over."""
        self.raw_index = Index(rows, tenant_id, account_id, events)
        known = self.get(self._own(WATERMARK_ROW.family), Watermark)
        self.watermark: int | None = None if known is None else known.reached_at
        """The event time that the account has reached, microseconds UTC; None: no event yet."""
        found = self.get(self._own(DESK_ROW.family), Desk)
        self.desk = found or Desk(earlier=known is not None, before_at=self.watermark)
        """An account with a time and without a desk is of before, so it may have earlier items."""
        self.knowledge = Knowledge(self, tenant_id, account_id, self.desk, self._met)
        self._touched = False

    # --- items

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

    def _met(self, key: bytes) -> int:
        entry = self.item(key)
        return 0 if entry is None else entry.information

    # --- other rows

    def edges(self, key: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Return the edges of an item: the other end, and the evidence."""
        row = self._edges_key(key)
        if row not in self._others and self._has_no_row(key):
            return ()
        found = self.get(row, Edges)
        return () if found is None else found.others

    def put_edges(self, key: bytes, others: tuple[tuple[bytes, bytes], ...]) -> None:
        """Replace the edges of an item."""
        self.put(self._edges_key(key), Edges(others) if others else None)

    def get(self, key: bytes, content: type[_Row]) -> _Row | None:
        """Return the row under a key, or None."""
        if key not in self._others:
            self._others[key] = _ROWS.read(self.table, key, content)
        elif content is Day:
            self._fold(key)
        found: _Row | None = self._others[key]
        return found

    def day(self, key: bytes) -> Day | None:
        """Return the row of a day under a key, without what has been counted since it was read."""
        if key not in self._others:
            self._others[key] = _ROWS.read(self.table, key, Day)
        found: Day | None = self._others[key]
        return found

    def _fold(self, key: bytes) -> None:
        """Work into the row of a day what was counted of it; of a day without a row nothing was."""
        if self._others[key] is None:
            return
        if self.waiting.items:
            self.settle_in()
        if key in self.day_counts:
            self.put(key, self.day_counts.fold(key, self._others[key]))

    def put(self, key: bytes, row: msgspec.Struct | None) -> None:
        """Insert or replace a row; None: delete it."""
        self._others[key] = row
        self._changed[key] = None

    def end(self, ended_at: int, key: bytes) -> None:
        """Remember that the row of a key has ended, event time."""
        if self._ended is None:
            self._ended = Queue(ENDED, self.table, self.keep_us, *self.account)
        self.to_sweep += self._ended.add(ended_at, key)

    def again(self, key: bytes) -> None:
        """Keep a row for another window, whose key has come up: nothing else comes up by that."""
        assert self._ended is not None  # the key came from it
        self._ended.again(key)

    def move_to(self, watermark: int) -> None:
        """Set the event time that the account has reached, microseconds UTC."""
        self.watermark, self._touched = watermark, True

    def close(self) -> None:
        """Write the changed rows."""
        self.settle_in()
        for key in list(self._texts):  # still open: whoever reads the row needs the words
            self.worded(key)
        for key in self.day_counts.days():
            self._fold(key)
        there: list[tuple[bytes, bytes]] = []
        for key, before in self._before.items():
            self._write(key, before, self._items[key], there)
        for key, is_there in self.raw_index.changes():
            if is_there:
                there.append((key, MARK))
            else:
                self.table.delete(key)
        for key in self._changed:
            row = self._others[key]
            if row is None:
                self.table.delete(key)
            else:
                there.append((key, _ROWS.pack(row)))
        self.table.put_many(there)
        if self._touched and self.watermark is not None:
            self.table.put(self._own(WATERMARK_ROW.family), pack(Watermark(self.watermark)))
            self.table.put(self._own(DESK_ROW.family), pack(self.desk))
        if self._ended is not None:
            self._ended.write()

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

    def _own(self, family: str, *rest: str) -> bytes:
        return row_key(family, *self.account, *rest)

    def _has_no_row(self, key: bytes) -> bool:
        """Whether an item had no row when this was opened, as far as that is known: then it had no edges."""
        if key in self._before:
            return self._before[key] is None
        return self._items.get(key, self) is None

    def _edges_key(self, key: bytes) -> bytes:
        return EDGES_ROW.family.encode() + self.part + b"\0" + key


def _keys_by(entry: Entry) -> list[bytes]:
    """Return the keys that an item has in the index."""
    return settled_keys(entry) if entry.status == CLAIMED else index_keys(entry)
