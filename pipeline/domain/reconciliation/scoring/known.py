"""What an account knows of its items when a pair is looked at: how rare words are, usual lags, rates."""

from __future__ import annotations

from typing import Protocol

from pipeline.domain.reconciliation.scoring.item import Item


class Known(Protocol):
    """What evidence needs beside the two items. The desk keeps it in rows; tests keep it in memory."""

    def rarity(self, word: str) -> int:
        """Return the information of a word in this account, in tenths of a bit (`information.rarity`)."""
        ...

    def information(self, item: Item) -> int:
        """Return the sum of the rarities of an item's words, now or when it came; tenths of a bit."""
        ...

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        """Return the usual days from a posting's date to its line's booking; 0 if unknown."""
        ...

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        """Return the rate of a day from minor units to minor units of two currencies, times 1e8, if known."""
        ...

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        """Return the other currencies that items of this account may be matched in: few, in fixed order."""
        ...
