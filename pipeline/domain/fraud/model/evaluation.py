"""A model's answer about payments: by columns for batches, by rows for one, the same integers.

Every tree is drawn as if it were full, so that level l of tree t has its places t * 2**l to (t + 1) * 2**l -
1 and the way down is arithmetic: `place = 2 * place + (x >= cut)`. All payments of a chunk go down all trees
at once, a level at a time. A value that is missing is the lowest int64 where a question sends it left, and
the highest where it sends it right, so that one comparison decides both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import LEAF, MISSING, PRESENT_MAX, Integers, Model, Trees
from pipeline.domain.fraud.model.scores import Scale

CHUNK_PLACES = 16_384
"""Payments of a chunk times trees: what fits a core's cache together with the columns."""
ROWS_MAX = 3
"""Up to here a batch is quicker payment by payment."""


class Level(NamedTuple):
    """One level of all trees, drawn full. A place below a leaf asks nothing and has the leaf's value."""

    column: Integers
    """Which column is looked at: a feature, or `features + feature` where a missing value goes right."""
    cut: Integers
    value: Integers
    asks: NDArray[np.bool_]


def drawn_full(trees: Trees, features: int) -> list[Level]:
    """Return the levels of all trees; the last one has leaves alone. The trees are checked before."""
    asks = trees.feature != LEAF
    starts = np.cumsum(trees.sizes) - trees.sizes
    asked_before = np.cumsum(asks) - asks
    within = asked_before - np.repeat(asked_before[starts], trees.sizes)
    left = np.repeat(starts, trees.sizes) + 1 + 2 * within
    column = np.where(asks, trees.feature + features * trees.missing_right, 0)
    places, levels = starts, []
    while True:
        below = asks[places]
        levels.append(Level(column[places], trees.cut[places], trees.value[places], below))
        if not below.any():
            return levels
        pair = np.where(below, left[places], places)
        places = np.stack((pair, pair + below), axis=1).reshape(-1)


class Evaluator:
    """A model, ready to judge payments."""

    def __init__(self, model: Model) -> None:
        """`model` has been checked: it comes from `parse`, or was encoded."""
        self.model = model
        self._scale = Scale(model.calibration)
        self._features = len(model.features)
        self._trees = len(model.trees.sizes)
        self._levels = drawn_full(model.trees, self._features)
        asked = np.unique(np.concatenate([level.column for level in self._levels]))
        # Only columns that are asked about are laid out; the levels count among those.
        self._asked_left = asked[asked < self._features]
        self._asked_right = asked[asked >= self._features] - self._features
        self._compact = [np.searchsorted(asked, level.column) for level in self._levels]
        self._roots = [self._nested(0, tree) for tree in range(self._trees)]
        self._chunk = max(1, CHUNK_PLACES // self._trees)

    # One payment

    def margin(self, values: Sequence[int]) -> int:
        """Return the margin of one payment. `values` are Python's integers, a feature each, or MISSING."""
        both = self.both_ways(values)
        total = self.model.base
        for node in self._roots:
            while node.__class__ is tuple:
                column, cut, left, right, _, _ = node
                node = left if both[column] < cut else right
            total += node
        return total

    def score(self, values: Sequence[int]) -> int:
        """Return the score of one payment, 0 to 10,000 basis points."""
        return self._scale.score(self.margin(values))

    def score_of(self, margin: int) -> int:
        """Return the score of a margin, 0 to 10,000 basis points."""
        return self._scale.score(margin)

    def both_ways(self, values: Sequence[int]) -> list[int]:
        """Return the values, and then again with what is missing as the highest number."""
        return [*values, *(PRESENT_MAX if value == MISSING else value for value in values)]

    @property
    def roots(self) -> list[Any]:
        """The trees as nested tuples (column, cut, left, right, feature, value); a leaf is its value."""
        return self._roots

    # Many payments

    def margins(self, columns: Integers) -> Integers:
        """Return the margin of each payment.

        `columns` has a row of int64 for each feature, and in it a place for each payment.
        """
        payments = columns.shape[1]
        margins = np.empty(payments, np.int64)
        if payments <= ROWS_MAX:
            for place, values in enumerate(columns.T.tolist()):
                margins[place] = self.margin(values)
            return margins
        for start in range(0, payments, self._chunk):
            part = columns[:, start : start + self._chunk]
            last = self.places(part)[-1]
            leaves = self._levels[-1].value.take(last)
            margins[start : start + self._chunk] = leaves.sum(axis=0) + self.model.base
        return margins

    def scores(self, margins: Integers) -> Integers:
        """Return the score of each margin, 0 to 10,000 basis points."""
        return self._scale.scores(margins)

    @property
    def levels(self) -> list[Level]:
        """All trees by levels, drawn full."""
        return self._levels

    @property
    def chunk(self) -> int:
        """How many payments `places` takes well."""
        return self._chunk

    def places(self, columns: Integers, *, keep: bool = False) -> list[Integers]:
        """Return at which place of a level each payment (second index) is in each tree (first index).

        Of the last level alone, or, to `keep`, of every level from the roots on.
        """
        payments = columns.shape[1]
        flat = self._laid_out(columns)
        payment = np.arange(payments)
        place = np.repeat(np.arange(self._trees)[:, None], payments, axis=1)
        kept = [place]
        at, x, cut = np.empty_like(place), np.empty_like(place), np.empty_like(place)
        right = np.empty(place.shape, np.bool_)
        for level, column in zip(self._levels[:-1], self._compact, strict=False):
            np.take(column, place, out=at, mode="clip")
            at *= payments
            at += payment
            np.take(flat, at, out=x, mode="clip")
            np.take(level.cut, place, out=cut, mode="clip")
            np.greater_equal(x, cut, out=right)
            place = place * 2 if keep else np.multiply(place, 2, out=place)
            place += right
            kept.append(place)
        return kept if keep else kept[-1:]

    def _laid_out(self, columns: Integers) -> Integers:
        """Return the columns that are asked about, one after the other."""
        missing_left, missing_right = columns[self._asked_left], columns[self._asked_right]
        missing_right[missing_right == MISSING] = PRESENT_MAX
        return np.concatenate((missing_left, missing_right)).reshape(-1)

    def _nested(self, depth: int, place: int) -> Any:
        level = self._levels[depth]
        value = int(level.value[place])
        if not level.asks[place]:
            return value
        return (
            int(level.column[place]),
            int(level.cut[place]),
            self._nested(depth + 1, 2 * place),
            self._nested(depth + 1, 2 * place + 1),
            int(level.column[place]) % self._features,
            value,
        )
