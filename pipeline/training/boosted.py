"""A boosted model: fitted, calibrated and judged on days that come later, with a threshold from costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import (
    BOOSTED,
    NEVER_BP,
    SHARES_SUM,
    Bins,
    Calibration,
    Feature,
    Integers,
    Model,
    Window,
)
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.domain.fraud.model.scores import Scale
from pipeline.training.calibrating import calibrated
from pipeline.training.costs import Costs, cheapest_threshold
from pipeline.training.data import DAY_US, Part, Payments, split_by_time
from pipeline.training.fitting import Boosting, boosted
from pipeline.training.quality import at_threshold, auc_e6, average_precision_e6, calibration_error_e6
from pipeline.training.spread import bins_of
from pipeline.training.xgboost_trees import read_trees

UNITS_PER_ONE = 1_000_000
"""Units of the margin in one of the logarithm of odds."""
UNKNOWN_BINS = Bins((), (SHARES_SUM, 0))
_LEVEL = Calibration((0,), (0,))
_BOOSTING, _COSTS = Boosting(), Costs()


@dataclass(frozen=True, slots=True)
class Training:
    """How a boosted model is made."""

    boosting: Boosting = _BOOSTING
    delay_us: int = 7 * DAY_US
    """After that, silence means that a payment was genuine."""
    held_us: int = 7 * DAY_US
    costs: Costs = _COSTS
    fit_again: bool = True
    """Whether the trees that are kept learn from the held-out days, too, after these were used to judge."""
    genuine_max: int | None = None
    """At most so many payments without a fraud are learned from, drawn evenly; None: all. It saves time.

    Scores stay probabilities: they are calibrated on all payments of the held-out days.
    """


def train_boosted(payments: Payments, now_us: int, how: Training) -> Model:
    """Return a model that knows what was known at a time.

    Figures, calibration and threshold are of a model that knew nothing of the held-out days. Raises
    TrainingError.
    """
    split = split_by_time(payments, now_us, how.delay_us, how.held_us)
    judge = Evaluator(_uncalibrated(split.early, how))
    held, frauds = split.held
    margins = judge.margins(held.columns)
    calibration = calibrated(margins, frauds, UNITS_PER_ONE)
    scale = Scale(calibration)
    scores = scale.scores(margins)
    threshold, cost = cheapest_threshold(scores, held.amount_minor, frauds, how.costs)
    figures = {
        "ap": average_precision_e6(margins, frauds),
        "auc": auc_e6(margins, frauds),
        "calibration_error": calibration_error_e6(scores, frauds),
        "cost_minor": cost,
        **at_threshold(scores, frauds, threshold),
    }
    learned = split.whole if how.fit_again else split.early
    kept = _uncalibrated(learned, how) if how.fit_again else judge.model
    return replace(
        kept,
        calibration=calibration,
        review_from_bp=threshold,
        features=tuple(
            Feature(*one, bins_of(column))
            for one, column in zip(payments.inputs, learned.payments.columns, strict=True)
        ),
        # Of the trees that are kept: what others would say of these days is no measure of drift.
        score_bins=bins_of(scale.scores(Evaluator(kept).margins(held.columns))),
        window=_window(learned, held),
        figures=tuple(sorted(figures.items())),
    )


def _uncalibrated(part: Part, how: Training) -> Model:
    columns, frauds = part.payments.columns, part.frauds
    if how.genuine_max is not None and len(frauds) - int(frauds.sum()) > how.genuine_max:
        chosen = np.sort(np.concatenate((np.flatnonzero(frauds), _drawn(frauds, how.genuine_max))))
        columns, frauds = columns[:, chosen], frauds[chosen]
    trees, base = read_trees(boosted(columns, frauds, how.boosting), UNITS_PER_ONE)
    return Model(
        kind=BOOSTED,
        features=tuple(Feature(*one, UNKNOWN_BINS) for one in part.payments.inputs),
        trees=trees,
        base=base,
        units_per_one=UNITS_PER_ONE,
        calibration=_LEVEL,
        review_from_bp=NEVER_BP,
        decline_from_bp=NEVER_BP,
        score_bins=UNKNOWN_BINS,
        window=_window(part, part.payments),
        figures=(),
    )


def _drawn(frauds: NDArray[np.bool_], count: int) -> Integers:
    """Return places of so many payments without a fraud, each equally likely; the same ones every time."""
    genuine = np.flatnonzero(~frauds)
    lots = np.random.PCG64(len(genuine)).random_raw(len(genuine))
    return np.asarray(genuine[np.argsort(lots, kind="stable")[:count]], np.int64)


def _window(learned: Part, held: Payments) -> Window:
    return Window(
        *_range(learned.payments.occurred_us), *_range(held.occurred_us), len(learned.frauds),
        int(learned.frauds.sum()),
    )  # fmt: skip


def _range(times: Integers) -> tuple[int, int]:
    return (int(np.min(times)), int(np.max(times)) + 1) if len(times) else (0, 0)
