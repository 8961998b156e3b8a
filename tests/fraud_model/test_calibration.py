"""Calibration, threshold and figures: against plain ways to compute the same."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import NEVER_BP
from pipeline.domain.fraud.model.scores import Scale
from pipeline.training.calibrating import MARGIN_ODDS_MAX, calibrated
from pipeline.training.costs import Costs, cheapest_threshold
from pipeline.training.data import TrainingError
from pipeline.training.quality import at_threshold, auc_e6, average_precision_e6, calibration_error_e6

UNITS = 1_000_000
JUDGED = st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({fraud for _, fraud in pairs}) == 2
)


def columns(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Return margins and frauds."""
    return np.array([margin for margin, _ in pairs]), np.array([fraud for _, fraud in pairs])


def test_a_score_is_the_probability_that_was_drawn_from() -> None:
    chance = np.random.default_rng(1)
    odds = chance.normal(-2, 2, 200_000)
    frauds = chance.random(len(odds)) < 1 / (1 + np.exp(-odds))
    # The model says twice the odds, and one too much.
    margins = np.round((2 * odds + 1) * UNITS).astype(np.int64)
    calibration = calibrated(margins, frauds, UNITS)
    scores = Scale(calibration).scores(margins)
    assert np.abs(scores - 10_000 / (1 + np.exp(-odds))).max() < 100
    assert calibration_error_e6(scores, frauds) < 5_000
    assert all(x < y for x, y in pairwise(calibration.margins))
    assert all(x <= y for x, y in pairwise(calibration.scores_bp))


@given(JUDGED)
def test_a_calibration_rises_or_is_refused(pairs: list[tuple[int, bool]]) -> None:
    margins, frauds = columns(pairs)
    try:
        calibration = calibrated(margins * UNITS, frauds, UNITS)
    except TrainingError:
        # What is farther out than the line is fitted to counts as its end: 15 and 16 tell nobody apart.
        assert auc_e6(margins.clip(-MARGIN_ODDS_MAX, MARGIN_ODDS_MAX), frauds) < 1_000_000
    else:
        scores = calibration.scores_bp
        assert all(x <= y for x, y in pairwise(scores)) and scores[0] >= 0 and scores[-1] <= 10_000


def test_a_few_margins_that_are_far_out_do_not_turn_the_line() -> None:
    chance = np.random.default_rng(1)
    odds = chance.normal(-4, 2, 50_000)
    frauds = chance.random(len(odds)) < 1 / (1 + np.exp(-odds))
    margins = np.round(odds * UNITS).astype(np.int64)
    margins[:100], frauds[:100] = -250 * UNITS, False
    margins[100:105], frauds[100:105] = -250 * UNITS, True
    scores = Scale(calibrated(margins, frauds, UNITS)).scores(margins)
    assert calibration_error_e6(scores, frauds) < 10_000


def test_margins_that_say_the_opposite_are_refused() -> None:
    margins = np.arange(100) * UNITS
    with pytest.raises(TrainingError, match="a higher margin does not mean more fraud"):
        calibrated(margins, margins < 50 * UNITS, UNITS)


def test_frauds_and_others_that_are_quite_apart_are_calibrated_all_the_same() -> None:
    margins = np.concatenate((np.full(500, -3), np.full(500, 3))) * UNITS
    calibration = calibrated(margins, margins > 0, UNITS)
    low, high = Scale(calibration).scores(np.array([-3, 3]) * UNITS).tolist()
    assert low < 50 and high > 9_950


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 10**12), st.booleans()), min_size=1, max_size=30
    ),
    st.integers(0, 20_000),
    st.integers(0, 10**6),
    st.integers(1, 10_000),
)
def test_no_other_threshold_costs_less(
    payments: list[tuple[int, int, bool]], missed_bp: int, alert_minor: int, least_bp: int
) -> None:
    scores, amounts = (np.array([one[place] for one in payments], np.int64) for place in (0, 1))
    frauds = np.array([one[2] for one in payments])
    threshold, cost = cheapest_threshold(scores, amounts, frauds, Costs(missed_bp, alert_minor, least_bp))

    def cost_of(threshold: int) -> int:
        missed = sum(amount for score, amount, fraud in payments if fraud and score < threshold)
        alerts = sum(score >= threshold for score, _, _ in payments)
        return missed * missed_bp + alerts * alert_minor * 10_000

    steps = {least_bp, NEVER_BP, *(score + 1 for score, _, _ in payments), *scores.tolist()}
    tried = [one for one in sorted(steps) if one >= least_bp]
    least = min(map(cost_of, tried))
    assert cost_of(threshold) == least
    assert cost == -(-least // 10_000)
    assert threshold == max(one for one in tried if cost_of(one) == least)


@given(JUDGED)
def test_figures_are_those_of_their_definitions(pairs: list[tuple[int, bool]]) -> None:
    margins, frauds = columns(pairs)
    wins = [(x > y) + (x == y) / 2 for x, is_fraud in pairs if is_fraud for y, other in pairs if not other]
    assert auc_e6(margins, frauds) == pytest.approx(1e6 * sum(wins) / len(wins), abs=1)
    precisions = []
    for margin, fraud in pairs:
        if fraud:
            above = [is_fraud for other, is_fraud in pairs if other >= margin]
            precisions.append(sum(above) / len(above))
    assert average_precision_e6(margins, frauds) == pytest.approx(
        1e6 * sum(precisions) / len(precisions), abs=1
    )
    said = at_threshold(margins, frauds, 3)
    alerts = [fraud for margin, fraud in pairs if margin >= 3]
    assert said["alert_rate"] == 10**6 * len(alerts) // len(pairs)
    assert said["precision"] == (10**6 * sum(alerts) // len(alerts) if alerts else 0)
    assert said["recall"] == 10**6 * sum(alerts) // sum(frauds)
