"""What approved payments of a currency are like: what a debtor without a history is judged against.

Sums of a day are closed by the first payment of a later day; a payment is judged against what was closed
before it. So the order of payments within a day changes nothing, and no state is touched by every payment.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.domain.fraud.features.bounds import POPULATION_STATISTIC_MAX, SQUARE_SHIFT
from pipeline.domain.fraud.features.layout import DAY_S, N_CLOSED, N_DAY, N_OPEN, POPULATION_WIDTH
from pipeline.domain.fraud.features.states import States

BASE_PAYMENTS = 20
BASE_MEAN, BASE_SQUARE = 100_00, 500_00**2 >> SQUARE_SHIFT
"""What a currency is taken for until something is known of it, counted as BASE_PAYMENTS payments."""
KEPT_PAYMENTS = 2**20
"""Beyond so many, what is older weighs half at each closing."""


class Population(States):
    """Number, sum and sum of squares (>> SQUARE_SHIFT): closed, and of the day that is open; by currency."""

    def __init__(self) -> None:
        super().__init__(POPULATION_WIDTH)

    def parts(self, rows: np.ndarray, at_s: np.ndarray) -> Iterator[slice]:
        """Yield slices of payments between closings; a closing is done when its slice is asked for."""
        day = at_s // DAY_S
        if len(at_s) == 1:
            self._close(int(rows[0]), int(day[0]))
            yield slice(0, 1)
            return
        cuts = {0}
        for row in np.unique(rows).tolist():
            here = np.flatnonzero(rows == row)
            newest = np.maximum.accumulate(np.concatenate([self._rows[[row], N_DAY], day[here]]))
            cuts.update(here[np.flatnonzero(np.diff(newest) > 0)].tolist())
        starts = sorted(cuts)
        for start, end in zip(starts, [*starts[1:], len(at_s)], strict=True):
            self._close(int(rows[start]), int(day[start]))
            yield slice(start, end)

    def _close(self, row: int, day: int) -> None:
        m = self._rows[row]
        if day > m[N_DAY]:
            closed = m[N_CLOSED]
            m[N_CLOSED] = (closed >> int(closed[0] > KEPT_PAYMENTS)) + m[N_OPEN]
            m[N_OPEN] = 0
            m[N_DAY] = day
            self._changed.add(row)

    def prior(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means of amounts and of squares, as they were closed."""
        number, total, squares = self._rows[rows, N_CLOSED].T
        number = number + BASE_PAYMENTS
        mean = (total + BASE_PAYMENTS * BASE_MEAN) // number
        return mean, (squares + BASE_PAYMENTS * BASE_SQUARE) // number

    def add(self, rows: np.ndarray, amount: np.ndarray) -> None:
        """Add approved payments to the open day."""
        if not len(rows):
            return
        order = np.argsort(rows, kind="stable")
        there, starts = np.unique(rows[order], return_index=True)
        x = np.minimum(amount[order], POPULATION_STATISTIC_MAX)
        added = np.stack([np.ones_like(x), x, x * x >> SQUARE_SHIFT])
        self._rows[there, N_OPEN] += np.add.reduceat(added, starts, axis=1).T
        self._changed.update(there.tolist())
