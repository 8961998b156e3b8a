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
from pipeline.domain.reconciliation.breaks.rows import DAY_ROW, Day
from pipeline.domain.reconciliation.chain import rows as chain
from pipeline.domain.reconciliation.desk.account_items import AccountItems
from pipeline.domain.reconciliation.desk.knowledge import Knowledge
from pipeline.domain.reconciliation.desk.rows import (
    CLASSES,
    DESK_ROW,
    EDGES_ROW,
    Desk,
    Edges,
    Watermark,
    pack,
)
from pipeline.domain.reconciliation.item_rows import ENDED, WATERMARK_ROW

_Row = TypeVar("_Row", bound=msgspec.Struct)
_ROWS = RowClasses({**CLASSES.kinds, **chain.CLASSES.kinds, Day: DAY_ROW})


class AccountDesk(AccountItems):
    """The rows of one account; it serves `chain.findings.ChainRows` and `knowledge.Stored`, too."""

    def __init__(
        self, rows: RowsBothWays, tenant_id: str, account_id: str, keep_us: int, events: int = 1
    ) -> None:
        """`keep_us`: how long what has ended is kept, event time; `events`: how many will be applied."""
        super().__init__(rows, tenant_id, account_id, events)
        self.record_key = f"{tenant_id}/{account_id}"
        """The key of what is said about the account."""
        self.keep_us = keep_us
        """How long what has ended is kept, event time."""
        self._others: dict[bytes, Any] = {}
        self._changed: dict[bytes, None] = {}
        self._ended: Queue | None = None
        self.to_sweep: list[bytes] = []
        """The keys of rows whose windows may be over."""
        known = self.get(self._own(WATERMARK_ROW.family), Watermark)
        self.watermark: int | None = None if known is None else known.reached_at
        """The event time that the account has reached, microseconds UTC; None: no event yet."""
        found = self.get(self._own(DESK_ROW.family), Desk)
        self.desk = found or Desk(earlier=known is not None, before_at=self.watermark)
        """An account with a time and without a desk is of before, so it may have earlier items."""
        self.knowledge = Knowledge(self, tenant_id, account_id, self.desk, self._met)
        self._touched = False

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
        there = self.close_items()
        for key in self.day_counts.days():
            self._fold(key)
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

    def _own(self, family: str, *rest: str) -> bytes:
        return row_key(family, *self.account, *rest)

    def _has_no_row(self, key: bytes) -> bool:
        """Whether an item had no row when this was opened, as far as that is known: then it had no edges."""
        if key in self._before:
            return self._before[key] is None
        return self._items.get(key, self) is None

    def _edges_key(self, key: bytes) -> bytes:
        return EDGES_ROW.family.encode() + self.part + b"\0" + key
