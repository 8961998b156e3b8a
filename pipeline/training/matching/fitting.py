"""Fitting: the weights under which the right choices are likeliest, held near the weights from before.

A choice is a conditional logit: a candidate is the right one with odds exp(score) against none. Each weight
is held by a normal distribution around the one from before, so a bucket that was never seen keeps its weight,
and a few labels move little. The problem is convex; it is solved by L-BFGS. Source: Nocedal and Wright,
"Numerical Optimization" (2006), algorithm 7.4.
"""

from __future__ import annotations

import numpy as np

from pipeline.domain.reconciliation.scoring.features import FEATURES
from pipeline.domain.reconciliation.scoring.weights import Weights
from pipeline.training.matching.groups import SIZES, STARTS, Groups

HELD_BY = 3.0
"""How strongly a weight is held: one over the variance, in natural logarithms, around the one from before."""
WEIGHT_MAX = 20_000
"""The largest weight that is learned, either way: no bucket decides alone whatever else speaks against it."""
_ROUNDS_MAX = 150
_REMEMBERED = 8
_FLAT = 1e-3

_MILLI = 1_000


def fit(groups: Groups, before: Weights) -> Weights:
    """Return the weights that fit the groups best; thresholds as before."""
    start = np.concatenate([np.array(table, np.float64) for table in before.tables]) / _MILLI
    movable = _movable(groups)
    found = _minimum(groups, start, movable)
    numbers = np.clip(np.rint(found * _MILLI), -WEIGHT_MAX, WEIGHT_MAX).astype(np.int64)
    numbers[~movable] = np.rint(start * _MILLI).astype(np.int64)[~movable]
    tables = tuple(
        tuple(int(one) for one in numbers[first : first + size])
        for first, size in zip(STARTS, SIZES, strict=True)
    )
    return Weights(tables, before.confirm_from, before.margin, before.early_margin, before.suggest_from)


def scores(groups: Groups, weights: Weights) -> np.ndarray:
    """Return the score of each candidate."""
    flat = np.concatenate([np.array(table, np.int64) for table in weights.tables])
    return np.asarray(flat[groups.buckets].sum(axis=1))


def _movable(groups: Groups) -> np.ndarray:
    """Return which weights may move: those seen. A feature that never differs says what the base says."""
    seen = np.zeros(sum(SIZES), bool)
    seen[groups.buckets.ravel()] = True
    for place, (first, size) in enumerate(zip(STARTS, SIZES, strict=True)):
        if place and seen[first : first + size].sum() == 1:
            seen[first : first + size] = False
    assert FEATURES[0].name == "base"
    return seen


def _loss(groups: Groups, weights: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the loss of some weights, and its slope."""
    score = weights[groups.buckets].sum(axis=1)
    count = len(groups.counts)
    top = np.zeros(count)
    np.maximum.at(top, groups.group, score)
    share = np.exp(score - top[groups.group])
    total = np.bincount(groups.group, share, count) + np.exp(-top)
    chosen = np.bincount(groups.group, np.where(groups.right, score, 0.0), count)
    lost = float((groups.counts * (top + np.log(total) - chosen)).sum())
    pull = groups.counts[groups.group] * (share / total[groups.group] - groups.right)
    slope = np.bincount(
        groups.buckets.ravel(), np.repeat(pull, groups.buckets.shape[1]), minlength=len(weights)
    )
    off = weights - start
    return lost + HELD_BY / 2 * float(off @ off), slope + HELD_BY * off


def _minimum(groups: Groups, start: np.ndarray, movable: np.ndarray) -> np.ndarray:
    here = start.copy()
    loss, slope = _loss(groups, here, start)
    slope = slope * movable
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(_ROUNDS_MAX):
        if np.abs(slope).max(initial=0.0) < _FLAT:
            break
        way = _downhill(slope, steps)
        length = 1.0 if steps else 1.0 / max(1.0, float(np.linalg.norm(slope)))
        drop = float(way @ slope)
        while True:
            there = here + length * way
            next_loss, next_slope = _loss(groups, there, start)
            if next_loss <= loss + 1e-4 * length * drop or length < 1e-8:
                break
            length /= 2
        next_slope = next_slope * movable
        if loss - next_loss < 1e-9 * max(1.0, abs(loss)):
            return there if next_loss < loss else here
        if float((next_slope - slope) @ (there - here)) > 1e-12:
            steps = [*steps[1 - _REMEMBERED :], (there - here, next_slope - slope)]
        here, loss, slope = there, next_loss, next_slope
    return here


def _downhill(slope: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    way = slope.copy()
    shares = []
    for step, change in reversed(steps):
        share = float(step @ way) / float(step @ change)
        way -= share * change
        shares.append(share)
    if steps:
        step, change = steps[-1]
        way *= float(step @ change) / float(change @ change)
    for (step, change), share in zip(steps, reversed(shares), strict=True):
        way += step * (share - float(change @ way) / float(step @ change))
    return -way
