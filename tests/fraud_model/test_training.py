"""Training: a model that tells frauds, of which every part knows only what was known at its time."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from pipeline.domain.fraud.model.artefact import BOOSTED, MODEL_BYTES_MAX
from pipeline.domain.fraud.model.contributions import Explainer
from pipeline.domain.fraud.model.drift import MOVED_E6, counts, psi_e6
from pipeline.domain.fraud.model.encoding import encode, name_of, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.training.boosted import Training, train_boosted
from pipeline.training.costs import Costs
from pipeline.training.data import DAY_US, NEVER_US, TrainingError, split_by_time
from pipeline.training.fitting import Boosting, boosted
from tests.fraud_model.payments import DAYS, INPUTS, NOW_US, QUICK, some_payments

needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None,
    reason="xgboost is not installed: pip install '.[test,train]'",
)


def test_the_split_is_by_time_with_the_delay_of_labels_before_both_ends() -> None:
    payments = some_payments()
    split = split_by_time(payments, NOW_US, 7 * DAY_US, 5 * DAY_US)
    early, held, whole = (part.payments.occurred_us for part in split)
    assert early.max() < (DAYS - 7 - 5 - 7) * DAY_US
    assert held.min() >= (DAYS - 7 - 5) * DAY_US and held.max() < (DAYS - 7) * DAY_US
    assert (whole < (DAYS - 7) * DAY_US).all() and len(whole) > len(early) + len(held)
    assert (split.early.frauds == (split.early.payments.fraud_known_us <= (DAYS - 12) * DAY_US)).all()
    assert (split.held.frauds == (split.held.payments.fraud_known_us <= NOW_US)).all()


def test_without_frauds_there_is_nothing_to_learn() -> None:
    payments = some_payments()
    silent = replace(payments, fraud_known_us=np.full_like(payments.fraud_known_us, NEVER_US))
    with pytest.raises(TrainingError, match="before the held-out days: 0 known frauds among"):
        split_by_time(silent, NOW_US, 7 * DAY_US, 7 * DAY_US)
    with pytest.raises(TrainingError, match="0 known frauds among 0 payments"):
        split_by_time(payments, 5 * DAY_US, 7 * DAY_US, 7 * DAY_US)


def test_without_xgboost_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(TrainingError, match=r"pip install 'ledgerflow\[train\]'"):
        boosted(np.zeros((1, 2), np.int64), np.array([True, False]), Boosting())


@needs_xgboost
def test_a_trained_model_tells_frauds_and_says_how_well() -> None:
    payments = some_payments()
    model = train_boosted(payments, NOW_US, QUICK)
    data = encode(model)
    again = parse(data, name_of(data))
    assert again.kind == BOOSTED and len(data) < 20_000 < MODEL_BYTES_MAX
    assert [feature[:3] for feature in again.features] == list(INPUTS)
    figures = dict(again.figures)
    assert figures["auc"] > 750_000 and figures["ap"] > 300_000
    assert figures["calibration_error"] < 60_000
    assert 1 <= again.review_from_bp <= 10_000
    later = some_payments(seed=2)
    evaluator = Evaluator(again)
    margins = evaluator.margins(later.columns)
    scores = evaluator.scores(margins)
    frauds = later.fraud_known_us < NEVER_US
    assert scores[frauds].mean() > 3 * scores[~frauds].mean()
    explainer = Explainer(evaluator)
    for values, told in (
        ([40_000, 1, 0], "amount 400.00 EUR: riskier ("),
        ([1_000, 1, 900_000], "payee_risk_28d 900,000 ppm: riskier ("),
    ):
        assert explainer.top(values, explainer.row(values), 1)[0].text.startswith(told)
    # Payments of the same kind have not drifted, others have.
    for feature, column in zip(again.features, later.columns, strict=True):
        assert psi_e6(feature.bins, counts(feature.bins, column).tolist()) < MOVED_E6
        assert psi_e6(feature.bins, counts(feature.bins, column * 9 + 900).tolist()) > MOVED_E6
    assert psi_e6(again.score_bins, counts(again.score_bins, scores).tolist()) < MOVED_E6


@needs_xgboost
def test_the_same_data_makes_the_same_bytes() -> None:
    payments = some_payments(2_000)
    assert encode(train_boosted(payments, NOW_US, QUICK)) == encode(train_boosted(payments, NOW_US, QUICK))


@needs_xgboost
def test_what_is_known_later_changes_no_byte() -> None:
    payments = some_payments()
    now_us = (DAYS - 5) * DAY_US
    model = encode(train_boosted(payments, now_us, QUICK))
    later = payments.fraud_known_us > now_us
    assert (later & (payments.fraud_known_us < NEVER_US)).any()
    unknown = replace(payments, fraud_known_us=np.where(later, NEVER_US, payments.fraud_known_us))
    assert encode(train_boosted(unknown, now_us, QUICK)) == model
    assert encode(train_boosted(payments.some(payments.occurred_us < now_us), now_us, QUICK)) == model


@needs_xgboost
def test_figures_are_of_a_model_that_knew_nothing_of_the_held_out_days() -> None:
    """Labels of early payments that came during the held-out days are for the trees that are kept alone."""
    payments = some_payments()
    held_from = NOW_US - QUICK.delay_us - QUICK.held_us
    early = payments.occurred_us < held_from - QUICK.delay_us
    # Everybody early turns out to be a fraud one day too late.
    known = np.where(
        early & (payments.fraud_known_us == NEVER_US), held_from + DAY_US, payments.fraud_known_us
    )
    changed = train_boosted(replace(payments, fraud_known_us=known), NOW_US, QUICK)
    model = train_boosted(payments, NOW_US, QUICK)
    assert changed.figures == model.figures and changed.calibration == model.calibration
    assert changed.window.frauds > model.window.frauds


@needs_xgboost
def test_the_threshold_follows_the_costs() -> None:
    payments = some_payments()
    thresholds = [
        train_boosted(payments, NOW_US, replace(QUICK, costs=Costs(10_000, alert))).review_from_bp
        for alert in (1, 1_000, 10**9)
    ]
    assert thresholds == sorted(thresholds) and thresholds[0] < thresholds[-1] == 10_001


def test_defaults_are_those_of_the_readme() -> None:
    how = Training()
    assert (how.boosting.trees, how.boosting.depth, how.boosting.learning_rate) == (50, 3, 0.3)
    assert how.boosting.tree_method == "exact" and how.delay_us == how.held_us == 7 * DAY_US
