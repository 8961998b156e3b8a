"""Trees of xgboost as trees of integers: read from its public JSON (`Booster.save_raw("json")`)."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from pipeline.domain.fraud.model.artefact import LEAF, VALUE_MAX, Trees
from pipeline.training.cuts import integer_cut
from pipeline.training.data import TrainingError

OBJECTIVE = "binary:logistic"


def read_trees(model: bytes, units_per_one: int) -> tuple[Trees, int]:
    """Return the trees of a booster and the margin before them, in units of 1 / `units_per_one`.

    Leaves are rounded to the nearest unit, half to even, so that a margin of n trees differs by at most (n +
    1) / 2 units from the exact sum of xgboost's numbers. Raises TrainingError for what integers here do not
    have: other objectives, categories, leaves of several numbers, dart.
    """
    learner = json.loads(model)["learner"]
    objective = learner["objective"]["name"]
    if objective != OBJECTIVE:
        raise TrainingError(f"the objective is {objective}, not {OBJECTIVE}")
    booster = learner["gradient_booster"]
    if booster["name"] != "gbtree":
        raise TrainingError(f"the booster is {booster['name']}, not gbtree")
    drawn = [_tree(tree, units_per_one) for tree in booster["model"]["trees"]]
    nodes = [node for tree in drawn for node in tree]
    feature, cut, right, value = zip(*nodes, strict=True)
    trees = Trees(
        np.array([len(tree) for tree in drawn], np.int64),
        np.array(feature, np.int64),
        np.array(cut, np.int64),
        np.array(right, np.bool_),
        np.array(value, np.int64),
    )
    return trees, round(base_margin(learner) * units_per_one)


def base_margin(learner: dict[str, Any]) -> float:
    """Return the logarithm of odds before any tree."""
    text = learner["learner_model_param"]["base_score"]
    share = float(np.float32(float(text.strip("[]"))))
    return math.log(share / (1 - share))


def _tree(tree: dict[str, Any], units_per_one: int) -> list[tuple[int, int, bool, int]]:
    """Return (feature, cut, missing_right, value) of each node, level by level."""
    if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise TrainingError("a tree has categories, or leaves of several numbers")
    left, right, numbers = tree["left_children"], tree["right_children"], tree["split_conditions"]
    order, at = [0], 0
    while at < len(order):
        if left[order[at]] != -1:
            order += [left[order[at]], right[order[at]]]
        at += 1
    values: dict[int, int] = {}
    for node in reversed(order):
        if left[node] == -1:
            values[node] = _units(numbers[node], units_per_one)
        else:
            values[node] = _mean(tree["sum_hessian"], left[node], right[node], values)
    nodes = []
    for node in order:
        if left[node] == -1:
            nodes.append((LEAF, 0, False, values[node]))
        else:
            cut = integer_cut(_float32(numbers[node]))
            nodes.append((tree["split_indices"][node], cut, not tree["default_left"][node], values[node]))
    return nodes


def _mean(cover: list[float], left: int, right: int, values: dict[int, int]) -> int:
    """Return the mean of two nodes, each weighted by what has come to it in training."""
    both = cover[left] + cover[right]
    share = cover[left] / both if both > 0 else 0.5
    return round(values[right] + share * (values[left] - values[right]))


def _units(number: float, units_per_one: int) -> int:
    units = round(_float32(number) * units_per_one)
    if abs(units) > VALUE_MAX:
        raise TrainingError(f"a leaf of {number} has more than {VALUE_MAX} units")
    return units


def _float32(number: float) -> float:
    """Return the float32 that was written in decimals."""
    return float(np.float32(number))
