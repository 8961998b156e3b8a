"""When the open items of an account fall due: those in memory, and those that are only rows yet."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Container, Iterator
from heapq import merge
from itertools import islice

from pipeline.domain.kernel.rows import Rows
from pipeline.domain.reconciliation.desk.rows import DUE, item_of
from pipeline.domain.reconciliation.sortable import number_at

_NEVER = 2**65
_LONG_AGO = -_NEVER


class DueTimes:
    """The due times of one account while events are applied."""

    def __init__(self, rows: Rows, part: bytes, in_memory: Container[bytes]) -> None:
        """`part`: NUL tenant NUL account; `in_memory`: the items whose rows do not count, they were read."""
        self._rows, self._part, self._in_memory = rows, part, in_memory
        self._held: list[tuple[int, bytes]] = []
        self._stored_from = _LONG_AGO
        """Before this no item falls due that is only a row."""

    def add(self, due_at: int, key: bytes) -> None:
        """Add an item in memory."""
        insort(self._held, (due_at, key))

    def drop(self, due_at: int, key: bytes) -> None:
        """Take away an item that was added."""
        del self._held[bisect_left(self._held, (due_at, key))]

    def is_due(self, reached: int) -> bool:
        """Return whether an item may have fallen due."""
        return self._stored_from <= reached or bool(self._held and self._held[0][0] <= reached)

    def due(self, reached: int, limit: int) -> list[bytes]:
        """Return the keys of the first items, at most `limit`, that have fallen due."""
        held = self._held[: bisect_right(self._held, reached, key=lambda one: one[0])]
        return [key for _, key in islice(merge(held, self._stored(reached)), limit)]

    def _stored(self, reached: int) -> Iterator[tuple[int, bytes]]:
        """Yield due items that are not in memory, in order; remember when the next one is due."""
        prefix = DUE.encode() + self._part + b"\0"
        for entry, row in self._rows.scan(prefix):
            key = item_of(self._part, row)
            if key in self._in_memory:
                continue
            due_at = number_at(entry, len(prefix))
            if due_at > reached:
                self._stored_from = due_at
                return
            yield due_at, key
        self._stored_from = _NEVER
