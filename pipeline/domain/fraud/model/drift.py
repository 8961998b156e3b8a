"""Whether payments are still spread as those were that the model was made of.

The population stability index of a feature or of the score, sum of (now - then) * ln(now / then) over bins.
Logarithms are decimals that are rounded correctly, so that every worker says the same. By custom below 0.1
nothing has changed, from 0.25 on the model judges others than it knows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

import numpy as np

from pipeline.domain.fraud.model.artefact import MISSING, PRESENT_MAX, SHARES_SUM, Bins, Integers, Model

SHARE_MIN_E6 = 100
"""A share below counts as this: the index of a bin that was empty would be infinite."""
MOVED_E6 = 100_000
DRIFTED_E6 = 250_000
E6_OF_BP = 100
SCORE = "score"
"""In the place of a feature's name: the model's score."""
ROWS_MAX = 3
"""Up to so many payments are counted one by one: it is quicker."""
COLUMNS_MIN = 800
"""From so many on a feature at a time is quicker than an edge at a time."""
_EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_LN_DIGITS, _LN_ONE = 24, 10**24


class Spread:
    """The bins of a model, ready to count payments: those of each feature, then those of the score."""

    def __init__(self, model: Model) -> None:
        self.names = (*(one.name for one in model.features), SCORE)
        self._bins = [*(one.bins for one in model.features), model.score_bins]
        last = [len(bins.edges) for bins in self._bins]
        self._first = [0]
        for edges in last:
            self._first.append(self._first[-1] + edges + 2)
        self.width = self._first[-1]
        """How many counts there are."""
        self._last = np.array(last, np.int64)[:, None]
        self._edges = np.full((max(last), len(last), 1), PRESENT_MAX, np.int64)
        for number, bins in enumerate(self._bins):
            self._edges[: last[number], number, 0] = bins.edges

    def counts(self, columns: Integers, scores: Integers) -> Integers:
        """Return how many payments are in each bin; counts of batches can be added.

        `columns`: a row of int64 for each feature, in the model's order, and in it a place for each payment.
        """
        values = np.concatenate((columns, scores[None, :]))
        if values.shape[1] <= ROWS_MAX:
            return self._by_rows(values)
        if values.shape[1] >= COLUMNS_MIN:
            return np.concatenate([counts(bins, row) for bins, row in zip(self._bins, values, strict=True)])
        bins = np.zeros(values.shape, np.int64)
        for edges in self._edges:
            bins += values >= edges
        np.minimum(bins, self._last, out=bins)  # the edges that fill up are reached by the highest number
        bins[values == MISSING] = -1
        np.copyto(bins, self._last + 1, where=bins < 0)
        bins += np.array(self._first[:-1], np.int64)[:, None]
        return np.bincount(bins.reshape(-1), minlength=self.width).astype(np.int64)

    def _by_rows(self, values: Integers) -> Integers:
        found = np.zeros(self.width, np.int64)
        for first, bins, row in zip(self._first, self._bins, values.tolist(), strict=False):
            for value in row:
                missing = value == MISSING
                found[first + (len(bins.edges) + 1 if missing else bisect_right(bins.edges, value))] += 1
        return found

    def psi_bp(self, counted: Sequence[int]) -> list[tuple[str, int]]:
        """Return the index of each feature and of the score, in basis points, rounded down."""
        starts = zip(self.names, self._bins, self._first, self._first[1:], strict=False)
        return [(name, psi_e6(bins, counted[start:end]) // E6_OF_BP) for name, bins, start, end in starts]


def counts(bins: Bins, values: Integers) -> Integers:
    """Return how many values are in each bin, the missing ones last. Counts of batches can be added."""
    number = np.searchsorted(np.array(bins.edges, np.int64), values, side="right")
    number[values == MISSING] = len(bins.edges) + 1
    return np.bincount(number, minlength=len(bins.edges) + 2).astype(np.int64)


def psi_e6(bins: Bins, counted: Sequence[int]) -> int:
    """Return the index of counts against the training data, times 1,000,000; 0 of no payments."""
    whole = sum(counted)
    if not whole:
        return 0
    total = 0
    for then, count in zip(bins.shares_e6, counted, strict=True):
        now = (2 * SHARES_SUM * int(count) + whole) // (2 * whole)
        now, then = max(now, SHARE_MIN_E6), max(then, SHARE_MIN_E6)
        total += (now - then) * (_ln_e24(now) - _ln_e24(then))
    return total // _LN_ONE


@lru_cache(65_536)
def _ln_e24(number: int) -> int:
    """Return the natural logarithm of an integer from 1 on, times 10**24, rounded down."""
    return int(_EXACT.scaleb(_EXACT.ln(Decimal(number)), _LN_DIGITS))
