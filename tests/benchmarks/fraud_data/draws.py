"""Chance that is the same with every version of NumPy.

NumPy keeps the stream of a bit generator (`PCG64(seed).random_raw`) for good, but not those of `Generator`'s
methods. So everything here is made of raw integers: by integer arithmetic, by tables, and by sums, products
and comparisons of doubles, which IEEE 754 fixes. Only `exp` and powers are not fixed to the last bit; what
comes of them is rounded to whole numbers, so that a difference reaches about one table in 100,000.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np

CELLS = 1 << 16
"""Of the table of normal quantiles; between two of its entries the quantile is a straight line."""
MICRO = 1_000_000


class Draws:
    """One stream of chance. Streams of different names have nothing to do with each other."""

    def __init__(self, seed: int, name: str) -> None:
        self._bits = np.random.PCG64([seed, *name.encode()])

    def raw(self, count: int) -> np.ndarray:
        """Return integers of 64 bits; uint64."""
        return np.asarray(self._bits.random_raw(count), np.uint64)

    def below(self, count: int, bound: Any) -> np.ndarray:
        """Return integers from 0 up to but not including `bound` (below 2^32, one or one each); int64."""
        high = self.raw(count) >> np.uint64(32)
        return (high * np.asarray(bound, np.uint64) >> np.uint64(32)).astype(np.int64)

    def between(self, count: int, low: Any, high: Any) -> np.ndarray:
        """Return integers from `low` up to but not including `high`; int64."""
        least = np.asarray(low, np.int64)
        return least + self.below(count, np.asarray(high, np.int64) - least)

    def unit(self, count: int) -> np.ndarray:
        """Return doubles from 0 up to but not including 1."""
        return (self.raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def chance(self, count: int, share: Any) -> np.ndarray:
        """Return booleans, a `share` of them true on average."""
        found: np.ndarray = self.unit(count) < share
        return found

    def normal(self, count: int) -> np.ndarray:
        """Return normal doubles, mean 0, deviation 1, at most 4.6 from 0."""
        raw, table = self.raw(count), _quantiles()
        cell = (raw >> np.uint64(48)).astype(np.int64)
        part = (raw & np.uint64(0xFFFFFFFF)).astype(np.float64) * 2.0**-32
        low, high = table[cell], table[cell + 1]
        found: np.ndarray = (low + (high - low) * part) / MICRO
        return found

    def amounts(self, count: int, median: Any, spread: float) -> np.ndarray:
        """Return log-normal amounts of at least 1, in whole units of `median`; int64."""
        found = np.rint(np.asarray(median) * np.exp(spread * self.normal(count)))
        return np.maximum(found.astype(np.int64), 1)

    def poisson(self, mean: np.ndarray) -> np.ndarray:
        """Return a count for each mean (at most 30), by inversion; int64."""
        wanted, term = self.unit(len(mean)), np.exp(-mean)
        total, found = term.copy(), np.zeros(len(mean), np.int64)
        for number in range(1, 100):
            above = wanted >= total
            if not above.any():
                break
            found += above
            term = term * mean / number
            total = total + term
        return found

    def pick(self, count: int, weights: Any) -> np.ndarray:
        """Return indices into whole `weights`, each as often as its weight says; int64."""
        steps = np.cumsum(np.asarray(weights, np.int64))
        return np.searchsorted(steps, self.below(count, steps[-1]), side="right").astype(np.int64)

    def order(self, count: int) -> np.ndarray:
        """Return 0, 1, ... count - 1 in random order; int64."""
        return np.argsort(self.raw(count), kind="stable").astype(np.int64)

    def some(self, of: np.ndarray, count: int) -> np.ndarray:
        """Return `count` different elements, in random order."""
        found: np.ndarray = of[self.order(len(of))[:count]]
        return found


@cache
def _quantiles() -> np.ndarray:
    """Return the normal quantiles at 0, 1/CELLS, ... 1 in millionths; the two ends are 4.6."""
    normal = NormalDist()
    inner = [round(normal.inv_cdf(place / CELLS) * MICRO) for place in range(1, CELLS)]
    return np.array([-4_600_000, *inner, 4_600_000], np.float64)
