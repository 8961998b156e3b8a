"""Drift: the index of population stability in integers is the one of the textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import MISSING, PRESENT_MAX, SHARES_SUM, Bins
from pipeline.domain.fraud.model.drift import (
    COLUMNS_MIN,
    DRIFTED_E6,
    MOVED_E6,
    ROWS_MAX,
    SHARE_MIN_E6,
    Spread,
    counts,
    psi_e6,
)
from pipeline.domain.fraud.model.encoding import parse
from pipeline.training.spread import bins_of, shares_e6
from tests.benchmarks import live_model

COUNTED = st.lists(st.integers(0, 10**6), min_size=2, max_size=12).filter(any)


def textbook(then: list[int], now: list[int]) -> float:
    """Return the index in floats, no share below the least one."""
    shares = [
        [max(SHARE_MIN_E6 / SHARES_SUM, count / sum(counted)) for count in counted] for counted in (then, now)
    ]
    return sum((b - a) * math.log(b / a) for a, b in zip(*shares, strict=True))


@given(COUNTED, st.data())
def test_the_index_is_that_of_the_textbook(then: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.integers(0, 10**6), min_size=len(then), max_size=len(then)).filter(any))
    bins = Bins(tuple(range(len(then) - 2)), shares_e6(then))
    # Shares are rounded to 1 / 1,000,000, which moves the logarithm of the least one by 1 % at most.
    assert psi_e6(bins, now) / 1e6 == pytest.approx(textbook(then, now), abs=4e-5, rel=1e-3)
    assert psi_e6(bins, now) >= 0


def test_an_index_worked_out_by_hand() -> None:
    # .5 and .5 became .75 and .25: .25 ln 1.5 - .25 ln .5 = .101366 + .173287 = .274653
    bins = Bins((0,), (500_000, 500_000, 0))
    assert psi_e6(bins, [75, 25, 0]) == 274_653 > DRIFTED_E6
    # .6 and .4: .1 ln 1.2 - .1 ln .8 = .018232 + .022314 = .040546
    assert psi_e6(bins, [60, 40, 0]) == 40_546 < MOVED_E6
    assert psi_e6(bins, [7, 7, 0]) == psi_e6(bins, [0, 0, 0]) == 0


def test_a_bin_that_is_empty_counts_as_one_in_ten_thousand() -> None:
    bins = Bins((0,), (SHARES_SUM, 0, 0))
    assert psi_e6(bins, [99, 1, 0]) == int(1e6 * (-0.01 * math.log(0.99) + 0.0099 * math.log(100)))


def test_every_value_is_in_one_bin() -> None:
    bins = Bins((-5, 0, 10), (0, 0, 0, 0, SHARES_SUM))
    values = np.array([MISSING + 1, -6, -5, -1, 0, 9, 10, PRESENT_MAX, MISSING, MISSING])
    assert counts(bins, values).tolist() == [2, 2, 2, 2, 2]
    assert counts(Bins((), (SHARES_SUM, 0)), values).tolist() == [8, 2]
    assert counts(bins, values[:0]).tolist() == [0] * 5


@given(st.lists(st.integers(-9, 9) | st.just(MISSING), min_size=1, max_size=200))
def test_training_data_has_not_drifted_from_itself(values: list[int]) -> None:
    column = np.array(values, np.int64)
    bins = bins_of(column)
    counted = counts(bins, column)
    assert sum(bins.shares_e6) == SHARES_SUM and counted.sum() == len(values)
    assert psi_e6(bins, counted.tolist()) < 100


def test_bins_of_many_values_are_about_equal_and_a_frequent_value_has_its_own() -> None:
    assert bins_of(np.arange(1_000)).shares_e6 == (*[100_000] * 10, 0)
    zeros = bins_of(np.array([0] * 800 + list(range(1, 201))))
    assert zeros.edges[0] <= 20 and zeros.shares_e6[0] >= 800_000
    assert bins_of(np.array([MISSING, MISSING])) == Bins((), (0, SHARES_SUM))


@pytest.mark.parametrize("payments", [0, 1, ROWS_MAX, ROWS_MAX + 1, COLUMNS_MIN - 1, COLUMNS_MIN])
def test_few_and_many_payments_are_counted_as_a_feature_alone(payments: int) -> None:
    model = parse(live_model.model_bytes(), None)
    chance = np.random.default_rng(payments)
    columns = chance.integers(-5, 20_000, (len(model.features), payments))
    columns[chance.random(columns.shape) < 0.2] = MISSING
    columns[chance.random(columns.shape) < 0.1] = PRESENT_MAX
    scores = chance.integers(0, 10_001, payments)
    one_by_one = [counts(one.bins, row) for one, row in zip(model.features, columns, strict=True)]
    expected = np.concatenate([*one_by_one, counts(model.score_bins, scores)])
    assert Spread(model).counts(columns, scores).tolist() == expected.tolist()
