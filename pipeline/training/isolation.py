"""An isolation forest of integers: what is strange, without any label (Liu, Ting, Zhou, 2008).

A tree divides a few payments at random cuts until each is alone. What is alone after few cuts is strange. A
leaf says minus the length of its path, in 1 / 1,000,000 of a step, so that the trees of `domain/fraud/model`
hold it and the same evaluator computes it. Chance is seeded, and drawn from raw integers: their stream does
not change between versions of numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.domain.fraud.model.artefact import (
    DEPTH_MAX,
    ISOLATION,
    LEAF,
    MISSING,
    NEVER_BP,
    SCORE_MAX_BP,
    Calibration,
    Feature,
    Integers,
    Model,
    Trees,
    Window,
)
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.domain.fraud.model.scores import Scale
from pipeline.training.data import Payments, TrainingError
from pipeline.training.spread import bins_of

STEP = 1_000_000
"""Units of the margin in one step of a path."""
KNOTS = 257
Below = Callable[[int], int]
Node = tuple[int, int, bool, int]
"""Feature, cut, whether a missing value goes right, value."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """How a forest is made."""

    trees: int = 100
    sample: int = 256
    """Payments that a tree sees, at most 2**DEPTH_MAX."""
    alerts_e6: int = 1_000
    """Share of the training rows whose score reaches the threshold, at most."""
    seed: int = 0


def path_lengths(count: int) -> list[int]:
    """Return the mean length of a path that ends at n payments which nobody divides, for n = 0 to `count`.

    In 1 / STEP of a step: 2 H(n - 1) - 2 (n - 1) / n, where H is the harmonic number; 0 for none and for one.
    """
    lengths, harmonic = [0, 0], 0
    for n in range(2, count + 1):
        harmonic += 10**12 // (n - 1)
        lengths.append((2 * harmonic - 2 * (n - 1) * 10**12 // n) // (10**12 // STEP))
    return lengths[: count + 1]


def train_isolation(payments: Payments, how: Isolation) -> Model:
    """Return a forest of all payments. Raises TrainingError where there are fewer than two."""
    rows = payments.columns.shape[1]
    sample = min(how.sample, rows)
    if sample < 2 or how.sample > 2**DEPTH_MAX:
        raise TrainingError(f"a tree sees 2 to {2**DEPTH_MAX} payments, not {sample} of {how.sample}")
    below = _chance(how.seed)
    lengths = path_lengths(sample)
    depth = (sample - 1).bit_length()
    drawn = []
    for _ in range(how.trees):
        chosen = _sampled(rows, sample, below)
        drawn.append(_tree(payments.columns[:, chosen], depth, lengths, below))
    feature, cut, right, value = zip(*(node for tree in drawn for node in tree), strict=True)
    trees = Trees(
        np.array([len(tree) for tree in drawn], np.int64),
        np.array(feature, np.int64),
        np.array(cut, np.int64),
        np.array(right, np.bool_),
        np.array(value, np.int64),
    )
    return _judged(payments, trees, lengths[sample], how)


def _judged(payments: Payments, trees: Trees, mean_path: int, how: Isolation) -> Model:
    scale = _calibration(trees, mean_path)
    times = payments.occurred_us
    model = Model(
        kind=ISOLATION,
        features=tuple(
            Feature(*one, bins_of(column))
            for one, column in zip(payments.inputs, payments.columns, strict=True)
        ),
        trees=trees,
        base=0,
        units_per_one=STEP,
        calibration=scale,
        review_from_bp=NEVER_BP,
        decline_from_bp=NEVER_BP,
        score_bins=bins_of(np.zeros(1, np.int64)),
        window=Window(int(times.min()), int(times.max()) + 1, 0, 0, len(times), 0),
        figures=(),
    )
    scores = Scale(scale).scores(Evaluator(model).margins(payments.columns))
    reached = np.cumsum(np.bincount(scores, minlength=NEVER_BP + 1)[::-1])[::-1]
    few = np.flatnonzero(reached * 1_000_000 <= how.alerts_e6 * len(scores))
    threshold = max(1, int(few[0]))
    rate = 1_000_000 * int(reached[threshold]) // len(scores)
    return replace(
        model, review_from_bp=threshold, score_bins=bins_of(scores), figures=(("alert_rate", rate),)
    )


def _calibration(trees: Trees, mean_path: int) -> Calibration:
    """Return 2 ** -(mean of paths / mean path of the sample), in basis points, of every sum that can be."""
    starts = np.cumsum(trees.sizes) - trees.sizes
    leaves = trees.feature == LEAF
    low = int(np.minimum.reduceat(np.where(leaves, trees.value, 0), starts).sum())
    high = int(np.maximum.reduceat(np.where(leaves, trees.value, -(2**40)), starts).sum())
    whole = len(trees.sizes) * mean_path
    margins = sorted({low + (high - low) * knot // (KNOTS - 1) for knot in range(KNOTS)})
    return Calibration(
        tuple(margins), tuple(min(SCORE_MAX_BP, round(SCORE_MAX_BP * 2 ** (m / whole))) for m in margins)
    )


def _tree(columns: Integers, depth_max: int, lengths: list[int], below: Below) -> list[Node]:
    """Return the nodes of a tree of these payments, level by level; questions get their mean at the end."""
    ahead = [(np.arange(columns.shape[1]), 0)]
    asked: list[tuple[int, int, bool] | None] = []
    at = 0
    while at < len(ahead):
        rows, depth = ahead[at]
        question = _question(columns[:, rows], below) if depth < depth_max and len(rows) > 1 else None
        asked.append(question)
        if question is not None:
            feature, cut, missing_right = question
            x = columns[feature, rows]
            right = np.where(x == MISSING, missing_right, x >= cut)
            ahead += [(rows[~right], depth + 1), (rows[right], depth + 1)]
        at += 1
    nodes: list[Node] = []
    child = len(ahead)
    for (rows, depth), question in zip(reversed(ahead), reversed(asked), strict=True):
        if question is None:
            nodes.append((LEAF, 0, False, -(depth * STEP + lengths[len(rows)])))
            continue
        child -= 2
        # Nodes are made from the last one on, so the two below this one are there already.
        left, right_one = nodes[len(ahead) - 1 - child], nodes[len(ahead) - 2 - child]
        count_left, count_right = len(ahead[child][0]), len(ahead[child + 1][0])
        mean = (left[3] * count_left + right_one[3] * count_right) // len(rows)
        nodes.append((*question, mean))
    return nodes[::-1]


def _question(columns: Integers, below: Below) -> tuple[int, int, bool] | None:
    """Return a feature, a cut and the way of missing values, by chance; none where all payments are alike."""
    known = columns != MISSING
    low = np.where(known, columns, 2**63 - 1).min(axis=1)
    high = columns.max(axis=1)
    differing = np.flatnonzero(known.any(axis=1) & (low < high))
    if not len(differing):
        return None
    feature = int(differing[below(len(differing))])
    cut = int(low[feature]) + 1 + below(int(high[feature]) - int(low[feature]))
    x = columns[feature][known[feature]]
    return feature, cut, bool(2 * int((x >= cut).sum()) > len(x))


def _sampled(rows: int, sample: int, below: Below) -> Integers:
    """Return different rows, each equally likely (Floyd's way)."""
    chosen: dict[int, None] = {}
    for last in range(rows - sample, rows):
        one = below(last + 1)
        chosen[last if one in chosen else one] = None
    return np.array(list(chosen), np.int64)


def _chance(seed: int) -> Below:
    """Return a function that draws an integer below its argument; for less than 2**32 evenly to 2**-32."""
    raw = np.random.PCG64(seed).random_raw

    def below(count: int) -> int:
        return int(raw()) % count

    return below
