"""An account in memory: its ordered index, and what it knows of words, lags and rates."""

from __future__ import annotations

from collections import Counter

from sortedcontainers import SortedList

from pipeline.domain.reconciliation.scoring.information import rarity
from pipeline.domain.reconciliation.scoring.item import Item


class Index:
    """An ordered index in memory (`OrderedKeys`)."""

    def __init__(self) -> None:
        self._keys: SortedList[bytes] = SortedList()

    def add(self, keys: list[bytes]) -> None:
        for key in keys:
            self._keys.add(key)

    def remove(self, keys: list[bytes]) -> None:
        for key in keys:
            self._keys.remove(key)

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        start = self._keys.bisect_left(low)
        return [key for key in self._keys[start : start + limit] if key < high]

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        stop = self._keys.bisect_left(high)
        return [key for key in reversed(self._keys[max(stop - limit, 0) : stop]) if key >= low]


class Seen:
    """What an account has seen (`Known`)."""

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self.items = 0
        self.lags: Counter[int] = Counter()
        self.rates: dict[tuple[str, str], int] = {}

    def see(self, item: Item) -> None:
        self.items += 1
        self.words.update(item.words)

    def rarity(self, word: str) -> int:
        return rarity(self.words[word], self.items)

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        if self.lags.total() < 20:
            return 0
        half, below = self.lags.total() / 2, 0
        for lag in sorted(self.lags):
            below += self.lags[lag]
            if below >= half:
                return lag
        return 0

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        return self.rates.get((source, target))

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        return tuple(sorted(target for source, target in self.rates if source == currency))
