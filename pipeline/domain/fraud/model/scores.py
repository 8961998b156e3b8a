"""From margin to score in basis points: straight lines between the knots of a calibration, in integers."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from pipeline.domain.fraud.model.artefact import Calibration, Integers


class Scale:
    """A calibration, ready to be used."""

    def __init__(self, calibration: Calibration) -> None:
        self._margins, self._scores = calibration
        margins = np.array(self._margins, np.int64)
        scores = np.array(self._scores, np.int64)
        self._knots = margins
        # Outside of the knots a line of width 1 and height 0.
        self._from = np.concatenate((margins[:1], margins))
        self._base = np.concatenate((scores[:1], scores))
        self._rise = np.concatenate(([0], np.diff(scores), [0]))
        self._run = np.concatenate(([1], np.diff(margins), [1]))

    def score(self, margin: int) -> int:
        """Return the score of one margin, 0 to 10,000 basis points, rounded down."""
        margins, scores = self._margins, self._scores
        above = bisect_right(margins, margin)
        if above == 0:
            return scores[0]
        if above == len(margins):
            return scores[-1]
        left, low = margins[above - 1], scores[above - 1]
        return low + (margin - left) * (scores[above] - low) // (margins[above] - left)

    def scores(self, margins: Integers) -> Integers:
        """Return the score of each margin. No product leaves int64: a margin has 42 bits, a score 14."""
        line = np.searchsorted(self._knots, margins, side="right")
        run = margins - self._from[line]
        return np.asarray(self._base[line] + run * self._rise[line] // self._run[line], np.int64)
