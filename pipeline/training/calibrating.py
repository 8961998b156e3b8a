"""From margins to probabilities, frozen to a table of integers.

Platt, "Probabilistic outputs for support vector machines", 1999, with the targets of Lin, Lin, Weng, 2007.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import MARGIN_MAX, SCORE_MAX_BP, Calibration, Integers
from pipeline.training.data import TrainingError

ODDS_MAX = 10
"""Knots reach from odds of exp(-10) to exp(10): half a basis point from 0 and from 10,000."""
KNOTS_PER_ONE = 8
MARGIN_ODDS_MAX = 15
"""Margins beyond count as this when the line is fitted: a few that are far out would turn it."""
ROUNDS_MAX = 100


def calibrated(margins: Integers, frauds: NDArray[np.bool_], units_per_one: int) -> Calibration:
    """Return the table that turns a margin into the probability of fraud, in basis points.

    Raises TrainingError where frauds have no higher margins than others: then there is nothing to calibrate.
    """
    odds_max = MARGIN_ODDS_MAX * units_per_one
    slope, offset = fitted(np.clip(margins, -odds_max, odds_max) / units_per_one, frauds)
    if slope <= 0:
        raise TrainingError("on the held-out days a higher margin does not mean more fraud")
    knots: dict[int, int] = {}
    for step in range(-ODDS_MAX * KNOTS_PER_ONE, ODDS_MAX * KNOTS_PER_ONE + 1):
        odds = step / KNOTS_PER_ONE
        margin = round((odds - offset) / slope * units_per_one)
        if abs(margin) <= MARGIN_MAX:
            knots[margin] = round(SCORE_MAX_BP / (1 + math.exp(-odds)))
    if not knots:
        raise TrainingError("on the held-out days margins hardly tell frauds from others")
    return Calibration(tuple(knots), tuple(knots.values()))


def fitted(margins: NDArray[np.float64], frauds: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the logarithm of odds that fit best (Newton's method)."""
    positive = int(frauds.sum())
    negative = len(frauds) - positive
    target = np.where(frauds, (positive + 1) / (positive + 2), 1 / (negative + 2))
    slope, offset = 0.0, math.log((positive + 1) / (negative + 1))
    loss = _loss(slope * margins + offset, target)
    for _ in range(ROUNDS_MAX):
        share = 1 / (1 + np.exp(-(slope * margins + offset)))
        weight, wrong = share * (1 - share) + 1e-12, share - target
        a, b, c = (weight * margins * margins).sum() + 1e-12, (weight * margins).sum(), weight.sum() + 1e-12
        down, up = (wrong * margins).sum(), wrong.sum()
        scale = a * c - b * b
        if scale <= 0 or max(abs(down), abs(up)) < 1e-7:
            break
        step, size = ((c * down - b * up) / scale, (a * up - b * down) / scale), 1.0
        while size > 1e-9:
            tried = slope - size * step[0], offset - size * step[1]
            better = _loss(tried[0] * margins + tried[1], target)
            if better < loss:
                break
            size /= 2
        else:
            break
        (slope, offset), loss = tried, better
    return float(slope), float(offset)


def _loss(odds: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, odds) - target * odds).sum())
