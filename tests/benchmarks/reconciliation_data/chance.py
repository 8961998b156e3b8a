"""Chance for one thing at a time, from raw integers that NumPy keeps for good (`fraud_data.draws`)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from tests.benchmarks.fraud_data.draws import Draws

BLOCK = 1_024
_One = TypeVar("_One")


class Chance:
    """One stream of chance. Streams of different names have nothing to do with each other."""

    def __init__(self, seed: int, name: str) -> None:
        self._draws = Draws(seed, f"reconciliation/{name}")
        self._left: list[int] = []

    def below(self, bound: int) -> int:
        """Return an integer from 0 up to but not including `bound`."""
        if not self._left:
            self._left = self._draws.raw(BLOCK).tolist()
        return self._left.pop() * bound >> 64

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def happens(self, per_mille: int) -> bool:
        """Return True so many times in a thousand."""
        return self.below(1_000) < per_mille

    def one_of(self, choices: Sequence[_One]) -> _One:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def weighted(self, choices: Sequence[_One], weights: Sequence[int]) -> _One:
        """Return one of the choices, each as often as its weight says."""
        steps = list(accumulate(weights))
        return choices[bisect_right(steps, self.below(steps[-1]))]

    def shuffled(self, items: Sequence[_One]) -> list[_One]:
        """Return the items in random order."""
        mixed = list(items)
        for place in range(len(mixed) - 1, 0, -1):
            other = self.below(place + 1)
            mixed[place], mixed[other] = mixed[other], mixed[place]
        return mixed

    def digits(self, count: int) -> str:
        """Return a number of so many digits, the first not zero."""
        return str(self.between(10 ** (count - 1), 10**count - 1))
