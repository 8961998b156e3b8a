"""What an account knows while weights are learned: its ordered index, words, references, lags."""

from __future__ import annotations

from collections import Counter

from sortedcontainers import SortedSet

from pipeline.domain.reconciliation.scoring.information import rarity
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.lags import NO_LAGS, usual_lag, wait_days, with_lag


class Index:
    """An ordered index in memory (`blocking.OrderedKeys`)."""

    def __init__(self) -> None:
        self._keys = SortedSet()

    def add(self, keys: list[bytes]) -> None:
        """Add keys."""
        for key in keys:
            self._keys.add(key)

    def remove(self, keys: list[bytes]) -> None:
        """Remove keys. Raises KeyError where one is not there."""
        for key in keys:
            self._keys.remove(key)

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the first keys in [low, high), ascending, at most `limit`."""
        start = self._keys.bisect_left(low)
        return [key for key in self._keys[start : start + limit] if key < high]

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the last keys in [low, high), descending, at most `limit`."""
        stop = self._keys.bisect_left(high)
        return [key for key in reversed(self._keys[max(stop - limit, 0) : stop]) if key >= low]


class Knowledge:
    """What an account has seen (`known.Known`). Files have no rates."""

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self._references: Counter[tuple[bool, str]] = Counter()
        self.items = 0
        self._lags = NO_LAGS
        self._usual = 0
        self.wait_days = wait_days(NO_LAGS)
        """After so many days an item is due."""
        self._information: dict[bytes, int] = {}
        """Of open items, as it was when they came."""

    def see(self, item: Item) -> None:
        """Count the words and references of an item that comes."""
        self.items += 1
        self.words.update(item.words)
        self._references.update((item.is_line, one) for one in item.references)

    def forget(self, item: Item) -> None:
        """Let go what is known of an item that is not open any more."""
        self._information.pop(item.key, None)

    def settled(self, days: int) -> None:
        """Note the days from the posting to the line of a confirmed pair."""
        self._lags = with_lag(self._lags, days)
        self._usual, self.wait_days = usual_lag(self._lags), wait_days(self._lags)

    def items_with(self, is_line: bool, reference: str) -> int:
        """Return how many items of a side have had a reference."""
        return self._references[is_line, reference]

    def rarity(self, word: str) -> int:
        """Return the information of a word, tenths of a bit."""
        return rarity(self.words[word], self.items)

    def information(self, item: Item) -> int:
        """Return the information of an item's words, as it was when they were first asked for."""
        if item.key not in self._information:
            self._information[item.key] = sum(map(self.rarity, item.words))
        return self._information[item.key]

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        """Return the usual days from a posting to its line."""
        return self._usual

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        """Return no rate."""
        return None

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        """Return no currency."""
        return ()
