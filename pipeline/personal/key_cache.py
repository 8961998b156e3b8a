"""Secrets in memory: bounded in number and time, so that a destroyed key leaves within CACHE_SECONDS."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

CACHE_SECONDS = 60.0
KEYS_MAX = 10_000
_Value = TypeVar("_Value")


class KeyCache(Generic[_Value]):
    """Values by name, the oldest of which go first."""

    def __init__(self, clock: Callable[[], float], seconds: float, keys_max: int = KEYS_MAX) -> None:
        """`clock` gives seconds that never go back. Raises ValueError for more than CACHE_SECONDS."""
        if not 0 <= seconds <= CACHE_SECONDS:
            raise ValueError(f"keys are kept from 0 to {CACHE_SECONDS:g} seconds, not {seconds:g}")
        self._clock, self._seconds, self._keys_max = clock, seconds, keys_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, _Value]] = OrderedDict()

    def get(self, name: Hashable) -> _Value | None:
        """Return a value that is not too old."""
        with self._lock:
            self._drop_old()
            found = self._kept.get(name)
        # One that was read long before it was put stands behind younger ones.
        return None if found is None or found[0] <= self._clock() else found[1]

    def put(self, name: Hashable, value: _Value, read_at: float) -> None:
        """Keep a value that was read from the store at a time of the clock."""
        with self._lock:
            self._kept.pop(name, None)
            self._kept[name] = read_at + self._seconds, value
            while len(self._kept) > self._keys_max:
                self._kept.popitem(last=False)

    def drop(self, is_meant: Callable[[Hashable, _Value], bool]) -> None:
        """Forget the values that are meant, by name and value."""
        with self._lock:
            for name in [name for name, (_, value) in self._kept.items() if is_meant(name, value)]:
                del self._kept[name]

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        """Return how many values are in memory."""
        with self._lock:
            self._drop_old()
            return len(self._kept)

    def _drop_old(self) -> None:
        now = self._clock()
        while self._kept:
            name, (end, _) = next(iter(self._kept.items()))
            if end > now:
                return
            del self._kept[name]
