"""Trees of xgboost as integers: no payment comes to another leaf, and margins differ by rounding alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.fraud.model.artefact import MISSING, Integers
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.training.boosted import UNITS_PER_ONE
from pipeline.training.data import TrainingError
from pipeline.training.fitting import Boosting, as_floats, boosted
from pipeline.training.xgboost_trees import base_margin, read_trees
from tests.fraud_model.models import model_of, plain_leaf, plain_trees

xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed: pip install '.[test,train]'")


def data(seed: int, rows: int, features: int) -> tuple[Integers, np.ndarray]:
    """Return features, some missing, some beyond what float32 holds, and frauds that hang on them."""
    chance = np.random.default_rng(seed)
    scale = chance.choice(np.array([3, 50, 10**6, 10**9, 2**61]), features)
    columns = np.stack([chance.integers(-one, one, rows) for one in scale])
    signal = (columns[0] > scale[0] // 3).astype(int) + (columns[-1] % 2)
    frauds = chance.random(rows) < 0.05 + 0.4 * signal
    columns[chance.random(columns.shape) < 0.15] = MISSING
    frauds[:2] = (True, False)
    return columns, frauds


def near_the_cuts(model: dict[str, Any], columns: Integers) -> Integers:
    """Return the payments and, for each cut, one that is just there, just below and just above."""
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    more = [columns]
    for tree in trees:
        for feature, cut, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        ):
            if left != -1:
                one = np.repeat(columns[:, :1], 3, axis=1)
                one[feature] = np.array([-1, 0, 1]) + min(math.ceil(np.float32(cut)), 2**62)
                more.append(one)
    return np.concatenate(more, axis=1)


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=30)
def test_no_payment_moves_to_another_leaf_and_margins_are_rounded_only(
    seed: int, trees: int, depth: int, features: int
) -> None:
    columns, frauds = data(seed, 300, features)
    raw = boosted(columns, frauds, Boosting(trees=trees, depth=depth))
    booster = xgboost.Booster(model_file=bytearray(raw))
    content = json.loads(raw)
    asked = near_the_cuts(content, columns)
    read, base = read_trees(raw, UNITS_PER_ONE)
    ours = Evaluator(replace(model_of(read, features), base=base)).margins(asked)

    matrix = xgboost.DMatrix(as_floats(asked), nthread=1)
    leaves = booster.predict(matrix, pred_leaf=True).reshape(asked.shape[1], -1).astype(int)
    their_trees = content["learner"]["gradient_booster"]["model"]["trees"]
    plain = plain_trees(read)
    exact = np.full(asked.shape[1], base_margin(content["learner"]))
    for number, (tree, nodes) in enumerate(zip(their_trees, plain, strict=True)):
        numbers = np.array(tree["split_conditions"], np.float32).astype(float)
        exact += numbers[leaves[:, number]]
        # The same leaf: its rounded number is that of the leaf that xgboost names.
        place = places_of(tree)
        for payment, values in enumerate(asked.T.tolist()):
            assert plain_leaf(nodes, values) == place[leaves[payment, number]]
    assert np.abs(ours / UNITS_PER_ONE - exact).max() <= (trees + 1) / 2 / UNITS_PER_ONE + 1e-12

    theirs = booster.predict(matrix, output_margin=True).astype(float)
    float_error = (trees + 2) * 2.0**-23 * max(1.0, float(np.abs(theirs).max()) + trees)
    assert np.abs(ours / UNITS_PER_ONE - theirs).max() <= (trees + 1) / 2 / UNITS_PER_ONE + float_error
    # Where xgboost's own sums differ by more than both roundings, the order is the same.
    order = np.argsort(exact, kind="stable")
    apart = np.diff(exact[order]) > (trees + 1) / UNITS_PER_ONE
    assert (np.diff(ours[order])[apart] > 0).all()


def places_of(tree: dict[str, Any]) -> dict[int, int]:
    """Return the place of each of xgboost's nodes, level by level."""
    order = [0]
    for node in order:
        if tree["left_children"][node] != -1:
            order += [tree["left_children"][node], tree["right_children"][node]]
    return {node: place for place, node in enumerate(order)}


def test_other_models_are_refused() -> None:
    columns, frauds = data(1, 100, 2)
    raw = json.loads(boosted(columns, frauds, Boosting(trees=1, depth=2)))
    raw["learner"]["objective"]["name"] = "reg:squarederror"
    with pytest.raises(TrainingError, match="the objective is reg:squarederror"):
        read_trees(json.dumps(raw).encode(), UNITS_PER_ONE)
    raw["learner"]["objective"]["name"] = "binary:logistic"
    raw["learner"]["gradient_booster"]["name"] = "dart"
    with pytest.raises(TrainingError, match="the booster is dart"):
        read_trees(json.dumps(raw).encode(), UNITS_PER_ONE)
    raw["learner"]["gradient_booster"]["name"] = "gbtree"
    raw["learner"]["gradient_booster"]["model"]["trees"][0]["split_type"][0] = 1
    with pytest.raises(TrainingError, match="categories"):
        read_trees(json.dumps(raw).encode(), UNITS_PER_ONE)


def test_exact_keeps_a_round_cut_where_the_data_has_it() -> None:
    amounts = np.arange(0, 50_000, 7, dtype=np.int64)
    frauds = amounts > 22_000
    read, _ = read_trees(boosted(amounts[None], frauds, Boosting(trees=1, depth=1)), UNITS_PER_ONE)
    below, above = amounts[~frauds].max(), amounts[frauds].min()
    assert below < read.cut[0] <= above
