"""What rules in state shadow would have done, for payments as columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.domain.fraud.deciding.facts import Integers
from pipeline.domain.fraud.expressions.compiled import CompiledRules, Rulings


class Beside:
    """Which rules in state shadow fired for which payments, and which alerts they alone would have added."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.fired: dict[str, np.ndarray] = {}
        """By label of a rule: bool of each payment."""
        self.added: dict[str, np.ndarray] = {}
        """Those that no alert was made of, and that the rule would have made one of."""

    def put(self, place: int, found: Iterable[tuple[str, bool]]) -> None:
        """Take those of one payment: label, and whether it would have added an alert."""
        for label, adds in found:
            self._of(label)
            self.fired[label][place], self.added[label][place] = True, adds

    def note(
        self, rules: CompiledRules, rulings: Rulings, approved: np.ndarray, least: int, places: Integers
    ) -> None:
        """Take those of the payments at some places, which the same rules judge; `least`: as for `of_row`."""
        for label, row in rules.shadow.items():
            fired = rulings.fired[row]
            if fired.any():
                adds = rules.alerts(label, rulings.scores, rulings.excused, least)
                self._of(label)
                self.fired[label][places] = fired
                self.added[label][places] = fired & approved & adds

    def of(self, place: int) -> tuple[tuple[str, bool], ...]:
        """Return those of one payment, by label."""
        return tuple(
            (label, bool(self.added[label][place]))
            for label in sorted(self.fired)
            if self.fired[label][place]
        )

    def _of(self, label: str) -> None:
        if label not in self.fired:
            self.fired[label], self.added[label] = np.zeros((2, self._count), bool)


def of_row(
    rules: CompiledRules, labels: Iterable[str], points: int, is_excused: bool, is_approved: bool, least: int
) -> tuple[tuple[str, bool], ...]:
    """Return what `Beside.of` says of a payment for which some rules fired.

    `points`: of the rules that count; `least`: from how many on an alert is made.
    """
    return tuple(
        (label, is_approved and bool(rules.alerts(label, points, is_excused, least)))
        for label in sorted(labels)
    )
