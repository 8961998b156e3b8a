"""A boosted model: fitted, calibrated and judged on days that come later, with a threshold from costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

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
    trees, base = read_trees(boosted(part.payments.columns, part.frauds, how.boosting), UNITS_PER_ONE)
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


def _window(learned: Part, held: Payments) -> Window:
    return Window(
        *_range(learned.payments.occurred_us), *_range(held.occurred_us), len(learned.frauds),
        int(learned.frauds.sum()),
    )  # fmt: skip


def _range(times: Integers) -> tuple[int, int]:
    return (int(np.min(times)), int(np.max(times)) + 1) if len(times) else (0, 0)
