"""States by key, as rows of one array; and payments in waves, so that no wave has a key twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import repeat

import numpy as np

LANES_MAX = 700
"""Payments that are judged at once, whose states are copied: some 7 MB. No power of two: the rows of a matrix
of that width share the same few places of a processor's cache, and turning one takes four times as long."""
TURNED_AT_ONCE = 64
"""States that become columns at once: some 400 KB, so that they are still near the processor."""


class States:
    """States of one kind. Row 0 is the empty one, of all keys that are only read."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._rows = np.zeros((1, width), np.int64)
        self._numbers: dict[Hashable, int] = {}
        self._changed: set[int] = set()
        self._space = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, keys: Sequence[Hashable]) -> np.ndarray:
        """Return the row of each key; a new key gets one."""
        known = self._numbers
        found = [*map(known.get, keys)]
        if None in found:
            found = [known.setdefault(key, len(known) + 1) for key in keys]
            if len(known) >= len(self._rows):
                self._grow(max(2 * len(self._rows), len(known) + 1))
        return np.array(found, np.int64)

    def fresh(self, keys: Sequence[Hashable]) -> np.ndarray:
        """Return the states of different keys that have none yet: zeros, a row each.

        Whoever writes them as they were before says nothing of it: they do not count as changed.
        """
        begin = len(self._numbers) + 1
        end = begin + len(keys)
        if end > len(self._rows):
            self._grow(end)
        self._numbers.update(zip(keys, range(begin, end), strict=True))
        return self._rows[begin:end]

    def _grow(self, count: int) -> None:
        larger = np.zeros((count, self.width), np.int64)
        larger[: len(self._rows)] = self._rows
        self._rows = larger

    def clear(self) -> None:
        """Forget all states."""
        self._numbers, self._changed = {}, set()
        self._rows = np.zeros((1, self.width), np.int64)

    def known(self, keys: Iterable[Hashable]) -> np.ndarray:
        """Return the row of each key; 0 for one that has none."""
        return np.array([*map(self._numbers.get, keys, repeat(0))], np.int64)

    def columns(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return states as columns: a copy, of the first `width` places.

        It is good until the next call. Its space is the same one for all waves: megabytes that are new are
        pages that the system has to clear and to map, which takes longer than to fill them.
        """
        width = self.width if width is None else width
        if width * len(rows) > len(self._space):
            self._space = np.empty(width * len(rows), np.int64)
        columns = self._space[: width * len(rows)].reshape(width, len(rows))
        for start in range(0, len(rows), TURNED_AT_ONCE):
            part = slice(start, start + TURNED_AT_ONCE)
            columns[:, part] = self._rows[rows[part], :width].T
        return columns

    def put(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Write states that were changed; no row twice."""
        self._rows[rows] = columns.T
        self._changed.update(rows.tolist())

    def row(self, row: int) -> list[int]:
        """Return one state as a list: a copy."""
        found: list[int] = self._rows[row].tolist()
        return found

    def put_rows(self, keys: Sequence[Hashable], states: Sequence[Sequence[int] | np.ndarray]) -> None:
        """Write states, of two of a key the last one."""
        last = dict(zip(self.numbers(keys).tolist(), states, strict=True))
        if last:
            self._rows[[*last]] = [*last.values()]
        self._changed.update(last)

    def put_row(self, row: int, state: Sequence[int] | np.ndarray) -> None:
        """Write one state."""
        self._rows[row] = state
        self._changed.add(row)

    @property
    def are_changed(self) -> bool:
        """Whether a state was written since `changed` was called."""
        return bool(self._changed)

    def changed(self) -> tuple[list[Hashable], list[int]]:
        """Return the keys and rows of states that were written since the last call, oldest key first."""
        rows, self._changed = sorted(self._changed), set()
        if not rows:
            return [], []
        keys = list(self._numbers)
        return [keys[row - 1] for row in rows], rows

    def states(self, rows: Sequence[int]) -> np.ndarray:
        """Return states, a row each; rows ascend. It may be the states themselves: nobody changes it."""
        if rows and rows[-1] - rows[0] + 1 == len(rows):
            return self._rows[rows[0] : rows[-1] + 1]
        found: np.ndarray = self._rows[rows]
        return found

    def all(self) -> dict[Hashable, list[int]]:
        """Return every state, by key."""
        return {key: self.row(row) for key, row in self._numbers.items()}

    def state(self, key: Hashable) -> np.ndarray:
        """Return a key's state, zeros for an unknown one: what a row of the stream's table will hold."""
        found: np.ndarray = self._rows[self._numbers.get(key, 0)].copy()
        return found


class Kept:
    """States of one kind as lists, while payments are judged one by one."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._kept: dict[int, list[int]] = {}

    def of(self, row: int) -> list[int]:
        """Return a state; what is changed in it is written by `write`."""
        found = self._kept.get(row)
        if found is None:
            found = self._kept[row] = self._states.row(row)
        return found

    def write(self) -> None:
        """Write all states."""
        for row, state in self._kept.items():
            self._states.put_row(row, state)


def is_over(last_s: int, at_s: int, kept_s: int) -> bool:
    """Whether a state whose newest time is `last_s` is empty again at a time; 0 is no time."""
    return last_s > 0 and at_s - last_s > kept_s


def forget_many(m: np.ndarray, last_s: np.ndarray, at_s: np.ndarray, kept_s: int) -> None:
    """Empty the states whose newest time is too long ago."""
    over = (last_s > 0) & (at_s - last_s > kept_s)
    if over.any():
        m[:, over] = 0


def waves(keys: np.ndarray, lanes_min: int) -> tuple[list[np.ndarray], list[int]]:
    """Return places in waves, and the places after them that are judged one by one.

    The n-th wave has the n-th place of each key. What would be a wave of fewer than `lanes_min` is left.
    """
    count = len(keys)
    if count < max(lanes_min, 1):
        return [], [*range(count)]
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(keys[order]) != 0]))
    sizes = np.diff(np.concatenate([starts, [count]]))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count) - np.repeat(starts, sizes)
    by_rank = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank))
    # Waves grow no larger, so the first small one begins the rest.
    found = []
    begin = 0
    for end in ends.tolist():
        if end - begin < lanes_min:
            break
        found += [by_rank[place : min(place + LANES_MAX, end)] for place in range(begin, end, LANES_MAX)]
        begin = end
    return found, np.sort(by_rank[begin:]).tolist()
