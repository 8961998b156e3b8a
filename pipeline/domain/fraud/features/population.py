"""What approved payments of a currency are like: what a debtor without a history is judged against.

Sums of a day are closed by the first payment of a later day; a payment is judged against what was closed
before it. So the order of payments within a day changes nothing, and no state is touched by every payment.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.domain.fraud.features.amounts import CURRENCIES
from pipeline.domain.fraud.features.bounds import POPULATION_STATISTIC_MAX, SQUARE_SHIFT
from pipeline.domain.fraud.features.layout import DAY_S

BASE_PAYMENTS = 20
BASE_MEAN, BASE_SQUARE = 100_00, 500_00**2 >> SQUARE_SHIFT
"""What a currency is taken for until something is known of it, counted as BASE_PAYMENTS payments."""
KEPT_PAYMENTS = 2**20
"""Beyond so many, what is older weighs half at each closing."""


class Population:
    """Number, sum and sum of squares (>> SQUARE_SHIFT) by currency: closed, and of the day that is open."""

    def __init__(self) -> None:
        self._closed = np.zeros((len(CURRENCIES), 3), np.int64)
        self._open = np.zeros((len(CURRENCIES), 3), np.int64)
        self._day = np.zeros(len(CURRENCIES), np.int64)

    def parts(self, currency: np.ndarray, at_s: np.ndarray) -> Iterator[slice]:
        """Yield slices of payments between closings; a closing is done when its slice is asked for."""
        day = at_s // DAY_S
        cuts = {0}
        for number in np.unique(currency).tolist():
            here = np.flatnonzero(currency == number)
            newest = np.maximum.accumulate(np.concatenate([self._day[[number]], day[here]]))
            cuts.update(here[np.flatnonzero(np.diff(newest) > 0)].tolist())
        starts = sorted(cuts)
        for start, end in zip(starts, [*starts[1:], len(at_s)], strict=True):
            self._close(int(currency[start]), int(day[start]))
            yield slice(start, end)

    def _close(self, currency: int, day: int) -> None:
        if day > self._day[currency]:
            closed = self._closed[currency]
            self._closed[currency] = (closed >> int(closed[0] > KEPT_PAYMENTS)) + self._open[currency]
            self._open[currency] = 0
            self._day[currency] = day

    def prior(self, currency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means of amounts and of squares, as they were closed."""
        number, total, squares = self._closed[currency].T
        number = number + BASE_PAYMENTS
        mean = (total + BASE_PAYMENTS * BASE_MEAN) // number
        return mean, (squares + BASE_PAYMENTS * BASE_SQUARE) // number

    def add(self, currency: np.ndarray, amount: np.ndarray) -> None:
        """Add approved payments to the open day."""
        x = np.minimum(amount, POPULATION_STATISTIC_MAX)
        added = np.stack([np.ones_like(x), x, x * x >> SQUARE_SHIFT], axis=1)
        np.add.at(self._open, currency, added)
