"""Metrics by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.fraud_quality.metrics import (
    area_under_roc,
    average_precision,
    card_precision,
    precision_recall,
    reliability,
)


def of(*values: float) -> np.ndarray:
    return np.array(values)


def test_average_precision_counts_equal_scores_as_one_step() -> None:
    assert average_precision(of(1, 0, 1, 0), of(0.9, 0.8, 0.7, 0.1)) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(of(1, 0, 1, 0), of(0.5, 0.5, 0.5, 0.1)) == pytest.approx(2 / 3)
    assert average_precision(of(0, 0, 1), of(1, 1, 1)) == pytest.approx(1 / 3)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area_under_roc(of(1, 0, 1, 0), of(0.9, 0.8, 0.7, 0.1)) == pytest.approx(3 / 4)
    assert area_under_roc(of(1, 0), of(0.5, 0.5)) == 0.5
    assert area_under_roc(of(0, 0), of(0.1, 0.5)) == 0.5


def test_areas_and_precisions_are_those_of_every_pair() -> None:
    chance = np.random.Generator(np.random.PCG64(1))
    for _ in range(30):
        fraud = (chance.random(60) < 0.2).astype(int)
        fraud[0], fraud[1] = 1, 0
        score = np.round(chance.random(60), 1)
        ahead, behind = score[fraud == 1][:, None], score[fraud == 0][None, :]
        pairs = (ahead > behind).mean() + (ahead == behind).mean() / 2
        assert area_under_roc(fraud, score) == pytest.approx(pairs)
        steps = sorted({*score.tolist()}, reverse=True)
        recall = [fraud[score >= step].sum() / fraud.sum() for step in steps]
        precision = [fraud[score >= step].mean() for step in steps]
        gained = np.diff([0.0, *recall])
        assert average_precision(fraud, score) == pytest.approx(float(gained @ np.array(precision)))
        assert precision_recall(fraud, score, 500) == [
            pytest.approx(point)
            for point, more in zip(zip(recall, precision, strict=True), gained, strict=True)
            if more
        ]


def test_card_precision_is_by_customer_and_leaves_out_those_found_before() -> None:
    day = of(1, 1, 1, 1, 2, 2, 2)
    customer = of(7, 7, 8, 9, 7, 8, 9).astype(int)
    fraud = of(1, 0, 0, 1, 1, 0, 1).astype(int)
    score = of(0.1, 0.9, 0.5, 0.2, 0.9, 0.3, 0.1)
    # Day 1: customers 7 (by its highest score; compromised) and 8. Day 2 without 7: 8 and 9 (compromised).
    assert card_precision(day, customer, fraud, score, top=2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert card_precision(day, customer, fraud, score, top=100) == pytest.approx((2 / 100 + 0) / 2)


def test_reliability_is_by_tenths() -> None:
    found = reliability(of(0, 1, 1, 1), of(0.02, 0.04, 1.0, 0.95))
    assert found == [(pytest.approx(0.03), 0.5, 2), (pytest.approx(0.975), 1.0, 2)]
