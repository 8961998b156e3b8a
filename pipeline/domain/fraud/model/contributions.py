"""What moved a score: each feature's share of the margin, in integers that add up to it exactly.

On its way down a tree a payment goes from node to node. Each node has the mean of the leaves below it, and
what a step changes of that mean is put down to the feature that was asked about (Saabas, "Interpreting random
forests", 2014). So base + contributions = margin, without a remainder. Unlike TreeSHAP it gives more to
questions near the leaves where two features act together; it costs one walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.domain.fraud.model.artefact import ISOLATION, MISSING, Feature, Integers
from pipeline.domain.fraud.model.evaluation import Evaluator


class Contribution(NamedTuple):
    """What one feature has added to the margin of a payment."""

    feature: str
    margin: int
    """In the model's units. Above 0: towards fraud, or towards strange."""
    text: str
    """For people: the value with its unit, the direction, the share of all that moved the score."""


def value_text(feature: Feature, value: int) -> str:
    """Return a feature's value for people: `1,250.00 EUR`, `unknown`."""
    if value == MISSING:
        return "unknown"
    whole, part = divmod(abs(value), 10**feature.decimals)
    sign = "-" if value < 0 else ""
    decimals = f".{part:0{feature.decimals}}" if feature.decimals else ""
    return f"{sign}{whole:,}{decimals} {feature.unit}"


class Explainer:
    """Explains the margins of an evaluator."""

    def __init__(self, evaluator: Evaluator, shown: Callable[[Feature, int], str] = value_text) -> None:
        """`shown`: how a value is written."""
        self._evaluator, self._shown = evaluator, shown
        self._features = evaluator.model.features
        roots = evaluator.levels[0].value
        self.base = evaluator.model.base + int(roots.sum())
        """The margin of a payment of which nothing is known: base plus the mean of every tree."""
        self._toward = "stranger" if evaluator.model.kind == ISOLATION else "riskier"
        self._away = "more usual" if evaluator.model.kind == ISOLATION else "safer"

    def row(self, values: Sequence[int]) -> list[int]:
        """Return what each feature adds to the margin of one payment; with `base` they are the margin."""
        moved = [0] * len(self._features)
        both = self._evaluator.both_ways(values)
        for node in self._evaluator.roots:
            while node.__class__ is tuple:
                column, cut, left, right, feature, value = node
                node = left if both[column] < cut else right
                moved[feature] += (node[5] if node.__class__ is tuple else node) - value
        return moved

    def columns(self, columns: Integers) -> Integers:
        """Return what each feature (first index) adds to the margin of each payment (second index)."""
        payments = columns.shape[1]
        moved = np.zeros((len(self._features), payments), np.int64)
        chunk = self._evaluator.chunk
        for start in range(0, payments, chunk):
            self._add(columns[:, start : start + chunk], moved[:, start : start + chunk])
        return moved

    def _add(self, columns: Integers, moved: Integers) -> None:
        levels = self._evaluator.levels
        places = self._evaluator.places(columns, keep=True)
        payment = np.broadcast_to(np.arange(columns.shape[1]), places[0].shape)
        before = levels[0].value[places[0]]
        for depth, level in enumerate(levels[:-1]):
            after = levels[depth + 1].value[places[depth + 1]]
            feature = level.column[places[depth]] % len(self._features)
            np.add.at(moved, (feature, payment), after - before)
            before = after

    def top(self, values: Sequence[int], moved: Sequence[int], count: int) -> list[Contribution]:
        """Return what moved the score most, strongest first; of equals the feature that comes first.

        `values` are the payment's, `moved` what `row` or `columns` say of it. What moved nothing is left out.
        """
        whole = sum(abs(one) for one in moved)
        order = sorted(range(len(moved)), key=lambda number: (-abs(moved[number]), number))
        return [
            Contribution(
                self._features[number].name,
                moved[number],
                self._text(self._features[number], values[number], moved[number], whole),
            )
            for number in order[:count]
            if moved[number]
        ]

    def _text(self, feature: Feature, value: int, moved: int, whole: int) -> str:
        direction = self._toward if moved > 0 else self._away
        share = (200 * abs(moved) + whole) // (2 * whole)
        return (
            f"{feature.name} {self._shown(feature, value)}: {direction} ({share} % of what moved the score)"
        )
