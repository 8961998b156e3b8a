"""Random models and payments, and a judge that walks their trees as plainly as can be."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np

from pipeline.domain.fraud.model.artefact import (
    BOOSTED,
    LEAF,
    MISSING,
    PRESENT_MAX,
    Bins,
    Calibration,
    Feature,
    Integers,
    Model,
    Trees,
    Window,
)


def random_model(
    seed: int, *, trees: int = 5, depth: int = 4, features: int = 3, reach: int = 50, full: bool = False
) -> Model:
    """Return a model whose cuts are within `reach` of 0; `full` trees end at their depth only."""
    chance = random.Random(seed)
    drawn = [random_tree(chance, depth, features, reach, full) for _ in range(trees)]
    nodes = [node for tree in drawn for node in tree]
    feature, cut, right, value = zip(*nodes, strict=True)
    return model_of(
        Trees(
            np.array([len(tree) for tree in drawn], np.int64),
            np.array(feature, np.int64),
            np.array(cut, np.int64),
            np.array(right, np.bool_),
            np.array(value, np.int64),
        ),
        features,
    )


def random_tree(
    chance: random.Random, depth: int, features: int, reach: int, full: bool
) -> list[tuple[int, int, bool, int]]:
    """Return (feature, cut, missing_right, value) of each node, level by level."""
    nodes: list[tuple[int, int, bool, int]] = []
    ahead = deque([0])
    while ahead:
        at = ahead.popleft()
        value = chance.randrange(-1_000_000, 1_000_000)
        if at == depth or (not full and chance.random() < 0.2):
            nodes.append((LEAF, 0, False, value))
            continue
        cut = chance.randrange(-reach, reach)
        if chance.random() < 0.05:
            cut = chance.choice([PRESENT_MAX, MISSING + 1])
        nodes.append((chance.randrange(features), cut, chance.random() < 0.5, value))
        ahead += [at + 1, at + 1]
    return nodes


def model_of(trees: Trees, features: int) -> Model:
    """Return a model of some trees, its other parts in order."""
    return Model(
        kind=BOOSTED,
        features=tuple(
            Feature(f"amount_{number}h", "EUR", 2, Bins((number, number + 7), (10, 999_970, 15, 5)))
            for number in range(features)
        ),
        trees=trees,
        base=-4_000_000,
        units_per_one=1_000_000,
        calibration=Calibration((-5_000_000, -1_000_000, 0, 3_000_001), (1, 50, 3_333, 9_999)),
        review_from_bp=500,
        decline_from_bp=9_000,
        score_bins=Bins((10, 100), (900_000, 50_000, 50_000, 0)),
        window=Window(1, 2, 3, 4, 1_000, 10),
        figures=(("ap", 674_000), ("auc", 865_000)),
    )


def random_columns(seed: int, payments: int, features: int = 3, reach: int = 50) -> Integers:
    """Return features of payments: near the cuts, missing, and as low and as high as can be."""
    chance = np.random.default_rng(seed)
    columns = chance.integers(-reach, reach, (features, payments))
    odd = chance.random((features, payments))
    columns[odd < 0.2] = MISSING
    columns[odd > 0.98] = PRESENT_MAX
    columns[(odd > 0.96) & (odd < 0.98)] = MISSING + 1
    return columns


def plain_margin(model: Model, values: list[int]) -> int:
    """Return a margin, one question at a time, from the nodes as the README says that they are."""
    return model.base + sum(
        tree[end]["value"] for tree in plain_trees(model.trees) for end in [plain_leaf(tree, values)]
    )


def plain_trees(trees: Trees) -> list[list[dict[str, Any]]]:
    """Return the nodes of each tree, each with its properties, and where its left child is."""
    plain, start = [], 0
    for size in trees.sizes.tolist():
        tree: list[dict[str, Any]] = []
        questions = 0
        for at in range(start, start + size):
            asks = int(trees.feature[at]) != LEAF
            tree.append(
                {
                    "feature": int(trees.feature[at]) if asks else None,
                    "cut": int(trees.cut[at]),
                    "missing_right": bool(trees.missing_right[at]),
                    "value": int(trees.value[at]),
                    "left": 1 + 2 * questions if asks else None,
                }
            )
            questions += asks
        plain.append(tree)
        start += size
    return plain


def plain_leaf(tree: list[dict[str, Any]], values: list[int]) -> int:
    """Return the number of the leaf that a payment comes to."""
    at = 0
    while tree[at]["feature"] is not None:
        node = tree[at]
        x = values[node["feature"]]
        right = node["missing_right"] if x == MISSING else not x < node["cut"]
        at = node["left"] + right
    return at
