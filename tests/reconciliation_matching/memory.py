"""An account in memory: its ordered index, and what it knows of words, lags and rates."""

from __future__ import annotations

from collections import Counter

from sortedcontainers import SortedList

from pipeline.domain.reconciliation.scoring.information import rarity
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.lags import NO_LAGS, usual_lag, with_lag


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
        self.lags = NO_LAGS
        self._references: Counter[tuple[bool, str]] = Counter()
        self.rates: dict[tuple[str, str], int] = {}
        self._usual = 0
        self._information: dict[bytes, int] = {}

    def see(self, item: Item) -> None:
        self.items += 1
        self.words.update(item.words)
        self._references.update((item.is_line, one) for one in item.references)

    def rarity(self, word: str) -> int:
        return rarity(self.words[word], self.items)

    def information(self, item: Item) -> int:
        if item.key not in self._information:
            self._information[item.key] = sum(map(self.rarity, item.words))
        return self._information[item.key]

    def settled(self, days: int) -> None:
        """Note the lag of a confirmed pair."""
        self.lags = with_lag(self.lags, days)
        self._usual = usual_lag(self.lags)

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        return self._usual

    def items_with(self, is_line: bool, reference: str) -> int:
        return self._references[is_line, reference]

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        return self.rates.get((source, target))

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        return tuple(sorted(target for source, target in self.rates if source == currency))
