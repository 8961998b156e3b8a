"""The rows of one account while its events are applied: decoded once, written once.

    rows -> AccountRows -> (the rules read and change items, statements, breaks, claims) -> close -> rows

The row path opens one `AccountRows` for one event, the batch path one for all events of a run. Both store the
same rows; the batch path does not write index rows of an item that is matched within its run.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.reconciliation.item_rows import ENDED
from pipeline.domain.reconciliation.items import Items
from pipeline.domain.reconciliation.rows import Watermark, pack, read, watermark_key

_Row = TypeVar("_Row", bound=msgspec.Struct)


class AccountRows(Items):
    """The rows of one account; `events` is how many will be applied to it."""

    def __init__(
        self,
        rows: PrefetchingRows,
        tenant_id: str,
        account_id: str,
        amount_digits: int,
        keep_us: int,
        events: int = 1,
    ) -> None:
        """`keep_us`: how long what has ended is kept, event time of the account."""
        super().__init__(rows, tenant_id, account_id, amount_digits, events)
        known = read(rows, watermark_key(tenant_id, account_id), Watermark)
        self.watermark: int | None = None if known is None else known.reached_at
        """The event time that the account has reached, microseconds UTC; None: no event yet."""
        self._moved = False
        self._keep_us = keep_us
        self._ended: Queue | None = None
        """None until something ends."""
        self.to_sweep: list[bytes] = []
        """The keys of rows whose windows may be over."""
        self._others: dict[bytes, Any] = {}
        """The current statements, breaks and claims by key; None: there is none."""
        self._changed: dict[bytes, None] = {}
        """The keys of the changed ones; a dict used as a set that keeps its order."""

    def move_to(self, watermark: int) -> None:
        """Set the watermark that an applied event has reached, microseconds UTC."""
        self.watermark = watermark
        self._moved = True

    def get(self, key: bytes, content: type[_Row]) -> _Row | None:
        """Return the row under a key, or None."""
        if key not in self._others:
            self._others[key] = read(self.table, key, content)
        found: _Row | None = self._others[key]
        return found

    def is_over(self, ended_at: int | None, watermark: int) -> bool:
        """Whether what has ended at a time counts as absent."""
        return ended_at is not None and watermark - ended_at > self._keep_us

    def is_too_old(self, happened_at: int, watermark: int) -> bool:
        """Whether an event is so old that what it repeats may be over."""
        return watermark - happened_at > self._keep_us

    def end(self, ended_at: int, key: bytes) -> None:
        """Remember that the row of a key has ended."""
        if self._ended is None:
            self._ended = Queue(ENDED, self.table, self._keep_us, *self.account)
        self.to_sweep += self._ended.add(ended_at, key)

    def put(self, key: bytes, row: msgspec.Struct | None) -> None:
        """Insert or replace a row; None: delete it."""
        self._others[key] = row
        self._changed[key] = None

    def close(self) -> None:
        """Write the changed rows."""
        fresh = []
        for key, value in self.changes():
            if value is None:
                self.table.delete(key)
            else:
                fresh.append((key, value))
        for key in self._changed:
            row = self._others[key]
            if row is None:
                self.table.delete(key)
            else:
                fresh.append((key, pack(row)))
        if self._moved and self.watermark is not None:
            fresh.append((watermark_key(*self.account), pack(Watermark(self.watermark))))
        for key, value in fresh:
            self.table.put(key, value)
        if self._ended is not None:
            self._ended.write()
