"""Walk-forward: a model for each day, of what was known before it, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from pipeline.domain.fraud.model.encoding import encode
from pipeline.training.boosted import Training, train_boosted
from pipeline.training.data import DAY_US, NEVER_US, Payments
from pipeline.training.fitting import Boosting
from pipeline.training.walk_forward import Remembered, Walk, WalkForward, walk_forward
from tests.fraud_model.payments import DAYS, INPUTS, some_payments

needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None,
    reason="xgboost is not installed: pip install '.[test,train]'",
)
QUICK = WalkForward(
    training=Training(boosting=Boosting(trees=5, depth=2), delay_us=3 * DAY_US, held_us=3 * DAY_US),
    every_us=4 * DAY_US,
    window_us=20 * DAY_US,
)


def named(payments: Payments, how: WalkForward = QUICK) -> list[tuple[int, bytes | None]]:
    """Return each day with the bytes of the model that scores it."""
    return [
        (int(payments.occurred_us[day.start] // DAY_US), None if model is None else encode(model))
        for day, model in walk_forward(payments, how)
    ]


@needs_xgboost
def test_models_follow_each_other_every_few_days() -> None:
    payments = some_payments(rows=12_000)
    found = named(payments)
    assert [day for day, _ in found] == list(range(DAYS))
    assert found[8][1] is None and found[-1][1] is not None
    first = next(day for day, model in found if model is not None)
    for day, model in found[first:]:
        begin = first + (day - first) // 4 * 4
        assert model == found[begin][1]
    assert len({model for _, model in found if model}) == -(-(DAYS - first) // 4)


@needs_xgboost
def test_a_days_model_is_trained_from_what_was_known_at_its_midnight() -> None:
    payments = some_payments(rows=12_000)
    found = dict(named(payments))
    first = next(day for day, model in found.items() if model is not None)
    midnight = (first + 8) * DAY_US
    seen = (payments.occurred_us < midnight) & (payments.occurred_us >= midnight - 20 * DAY_US)
    before = payments.some(seen)
    unknown = np.where(before.fraud_known_us < midnight, before.fraud_known_us, NEVER_US)
    expected = train_boosted(replace(before, fraud_known_us=unknown), midnight - 1, QUICK.training)
    assert found[first + 8] == encode(expected)


@needs_xgboost
def test_what_comes_later_changes_no_earlier_model() -> None:
    whole = some_payments(rows=12_000)
    cut_us = 27 * DAY_US
    known = np.where(whole.fraud_known_us < cut_us, whole.fraud_known_us, NEVER_US)
    without = replace(whole, fraud_known_us=known).some(whole.occurred_us < cut_us)
    assert named(without) == named(whole)[:27]
    others = replace(
        whole, fraud_known_us=np.where(whole.fraud_known_us < cut_us, whole.fraud_known_us, cut_us)
    )
    assert named(others)[:28] == named(whole)[:28]


@needs_xgboost
def test_a_label_that_is_taken_back_counts_until_then() -> None:
    whole = some_payments(rows=12_000)
    back_us = 25 * DAY_US - 1
    taken = replace(whole, cleared_us=np.full(len(whole.occurred_us), back_us))
    found = named(taken)
    assert found[:25] == named(whole)[:25]
    last = found[24][1]
    assert {model for _, model in found[25:]} == {last}


def test_without_frauds_enough_there_is_no_model() -> None:
    payments = some_payments(rows=12_000)
    few = np.flatnonzero(payments.fraud_known_us < NEVER_US)[19:]
    known = payments.fraud_known_us.copy()
    known[few] = NEVER_US
    assert {model for _, model in named(replace(payments, fraud_known_us=known))} == {None}


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"every_us": DAY_US // 2}, {"every_us": 3 * DAY_US // 2}, {"window_us": 9 * DAY_US}):
        with pytest.raises(ValueError, match=r"a model is made|longer than"):
            Walk(INPUTS, replace(QUICK, **wrong))


def test_days_come_in_their_order() -> None:
    walk = Walk(INPUTS, QUICK)
    walk.model_at(5 * DAY_US)
    with pytest.raises(ValueError, match="in their order"):
        walk.model_at(5 * DAY_US - 1)


@needs_xgboost
def test_fewer_genuine_payments_are_learned_from_and_scores_stay_probabilities() -> None:
    payments = some_payments(rows=20_000)
    some = Training(boosting=Boosting(trees=15, depth=3), genuine_max=3_000)
    model = train_boosted(payments, DAYS * DAY_US, some)
    assert encode(model) == encode(train_boosted(payments, DAYS * DAY_US, some))
    assert model.window.rows > 15_000
    figures = dict(model.figures)
    assert figures["ap"] > 200_000 and figures["calibration_error"] < 60_000


def test_what_is_remembered_is_bounded_and_chosen_by_place_alone() -> None:
    payments = some_payments(rows=12_000)
    found = {}
    for name, known in (
        ("as it is", payments.fraud_known_us),
        ("without labels", np.full(12_000, NEVER_US)),
    ):
        one, seen = replace(payments, fraud_known_us=known), Remembered(INPUTS, 2_000)
        for begin in range(0, 12_000, 700):
            seen.add(one.some(slice(begin, begin + 700)))
        found[name] = seen.since(10 * DAY_US)
    times = [one.occurred_us.tolist() for one in found.values()]
    assert times[0] == times[1] and min(times[0]) >= 10 * DAY_US
    assert 800 < len(times[0]) <= 1_600
    assert (np.diff(times[0]) >= 0).all()
