"""The threshold from what mistakes cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import NEVER_BP, Integers


class Costs(NamedTuple):
    """What a bank pays."""

    missed_bp: int = 10_000
    """A fraud that nobody looked at, in basis points of its amount."""
    alert_minor: int = 1_000
    """A payment that somebody looks at, in minor units."""
    least_bp: int = 2_000
    """The least probability of fraud, in basis points from 1 on, for which somebody is asked.

    A large amount is worth an alert that is nearly always wrong, and nobody reads such alerts for long.
    """


def cheapest_threshold(
    scores: Integers, amounts: Integers, frauds: NDArray[np.bool_], costs: Costs
) -> tuple[int, int]:
    """Return the score from which looking at payments costs least, and that cost in minor units.

    No lower one than `costs.least_bp`. Of thresholds that cost the same the highest, so that fewer people
    are disturbed.
    """
    alerts = np.bincount(scores, minlength=NEVER_BP + 1).tolist()
    lost = [0] * (NEVER_BP + 1)
    for score, amount in zip(scores[frauds].tolist(), amounts[frauds].tolist(), strict=True):
        lost[score] += amount * costs.missed_bp
    # From a threshold that nothing reaches downwards. Costs are in 1 / 10,000 of a minor unit.
    cost = sum(lost)
    best, cheapest = NEVER_BP, cost
    for threshold in range(NEVER_BP - 1, costs.least_bp - 1, -1):
        cost += alerts[threshold] * costs.alert_minor * 10_000 - lost[threshold]
        if cost < cheapest:
            best, cheapest = threshold, cost
    return best, -(-cheapest // 10_000)
