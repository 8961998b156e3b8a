"""What every model must fulfil, whether it was just trained or comes as bytes from outside.

Its effort is bounded by the bounds of `artefact.py`: counts are compared before anything is walked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.domain.fraud.model.artefact import (
    DECIMALS_MAX,
    DEPTH_MAX,
    EDGES_MAX,
    FEATURES_MAX,
    FIGURES_MAX,
    KINDS,
    KNOTS_MAX,
    LEAF,
    MARGIN_MAX,
    MISSING,
    NEVER_BP,
    NODES_MAX,
    PRESENT_MAX,
    SCORE_MAX_BP,
    SHARES_SUM,
    TREES_MAX,
    VALUE_MAX,
    Bins,
    Calibration,
    Feature,
    Model,
    Trees,
    Window,
)
from pipeline.domain.fraud.model.refusals import ModelRefused, require

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
UNIT = re.compile(r"[A-Za-z%][A-Za-z0-9_/%]{0,63}", re.ASCII)
UNITS_PER_ONE_MAX = 10**9


def check(model: Model) -> None:
    """Check all that a model's use relies on. Raises ModelRefused."""
    require(model.kind in KINDS, "kind", f"{model.kind} is none")
    check_counts(len(model.features), len(model.trees.sizes), len(model.trees.value))
    for number, feature in enumerate(model.features):
        _check_feature(feature, f"feature {number}")
    names = [feature.name for feature in model.features]
    require(len(set(names)) == len(names), "features", "a name stands twice")
    require(-MARGIN_MAX <= model.base <= MARGIN_MAX, "base", f"{model.base} is out of bounds")
    require(1 <= model.units_per_one <= UNITS_PER_ONE_MAX, "units_per_one", f"{model.units_per_one} is none")
    _check_calibration(model.calibration)
    for where in ("review_from_bp", "decline_from_bp"):
        threshold = getattr(model, where)
        require(1 <= threshold <= NEVER_BP, where, f"{threshold} is not 1 to {NEVER_BP}")
    require(model.review_from_bp <= model.decline_from_bp, "decline_from_bp", "below review_from_bp")
    _check_bins(model.score_bins, "score_bins")
    _check_window(model.window)
    _check_figures(model.figures)
    check_trees(model.trees, len(model.features))


def check_counts(features: int, trees: int, nodes: int) -> None:
    """Check how many features, trees and nodes there are. Raises ModelRefused."""
    require(1 <= features <= FEATURES_MAX, "features", f"{features} are not 1 to {FEATURES_MAX}")
    require(1 <= trees <= TREES_MAX, "trees", f"{trees} are not 1 to {TREES_MAX}")
    require(trees <= nodes <= NODES_MAX, "nodes", f"{nodes} are not {trees} to {NODES_MAX}")


def check_trees(trees: Trees, features: int) -> None:
    """Check that the columns of nodes are trees. Raises ModelRefused."""
    nodes = len(trees.value)
    for where in ("feature", "cut", "missing_right"):
        require(len(getattr(trees, where)) == nodes, f"nodes, {where}", f"not {nodes}")
    require(bool((trees.sizes >= 1).all()), "trees", "one has no node")
    require(int(trees.sizes.sum()) == nodes, "trees", f"their sizes are not {nodes} together")
    leaf = trees.feature == LEAF
    _first(~leaf & ((trees.feature < 0) | (trees.feature >= features)), "feature", "asks about none")
    _first(leaf & (trees.cut != 0), "cut", "a leaf has one")
    _first(leaf & trees.missing_right, "missing_right", "a leaf has it")
    _first(~leaf & (trees.cut == MISSING), "cut", "nothing is below the lowest number")
    _first((trees.value > VALUE_MAX) | (trees.value < -VALUE_MAX), "value", "out of bounds")
    _check_shapes(trees, ~leaf)


def _check_shapes(trees: Trees, asks: np.ndarray) -> None:
    """Each tree has all its nodes below its root, by levels, and is not too deep."""
    starts = np.cumsum(trees.sizes) - trees.sizes
    asked = np.add.reduceat(asks.astype(np.int64), starts)
    wrong = np.flatnonzero(trees.sizes != 2 * asked + 1)
    if len(wrong):
        raise ModelRefused(f"tree {wrong[0]}", "questions and leaves do not make one tree")
    # Level by level: the nodes of a level are those below the questions of the level before.
    width, seen = np.ones_like(starts), np.zeros_like(starts)
    before = np.concatenate(([0], np.cumsum(asks)))
    for _ in range(DEPTH_MAX + 1):
        here = starts + seen
        questions = before[here + width] - before[here]
        seen += width
        width = 2 * questions
        over = np.flatnonzero(seen + width > trees.sizes)
        if len(over):
            raise ModelRefused(f"tree {over[0]}", "questions and leaves do not make one tree")
    short = np.flatnonzero(seen < trees.sizes)
    if len(short):
        tree = int(short[0])
        what = f"deeper than {DEPTH_MAX}" if width[tree] else "nodes that nothing leads to"
        raise ModelRefused(f"tree {tree}", what)


def _first(wrong: np.ndarray, where: str, what: str) -> None:
    if wrong.any():
        raise ModelRefused(f"node {int(wrong.argmax())}, {where}", what)


def _check_feature(feature: Feature, where: str) -> None:
    require(NAME.fullmatch(feature.name) is not None, f"{where}, name", "not a-z, 0-9 and _, at most 64")
    require(
        UNIT.fullmatch(feature.unit) is not None, f"{where}, unit", "not letters, 0-9, _, / and %, at most 64"
    )
    require(
        0 <= feature.decimals <= DECIMALS_MAX, f"{where}, decimals", f"{feature.decimals} is out of bounds"
    )
    _check_bins(feature.bins, f"{where}, bins")


def _check_bins(bins: Bins, where: str) -> None:
    require(len(bins.edges) <= EDGES_MAX, where, f"more than {EDGES_MAX} edges")
    require(_ascending(bins.edges), where, "edges do not ascend")
    require(all(MISSING < edge <= PRESENT_MAX for edge in bins.edges), where, "an edge is no value")
    require(len(bins.shares_e6) == len(bins.edges) + 2, where, "shares are not two more than edges")
    require(min(bins.shares_e6) >= 0, where, "a share is negative")
    require(sum(bins.shares_e6) == SHARES_SUM, where, f"shares are not {SHARES_SUM} together")


def _check_calibration(calibration: Calibration) -> None:
    margins, scores = calibration
    require(1 <= len(margins) <= KNOTS_MAX, "calibration", f"{len(margins)} knots are not 1 to {KNOTS_MAX}")
    require(len(margins) == len(scores), "calibration", "a knot lacks its margin or its score")
    require(_ascending(margins), "calibration", "margins do not ascend")
    require(max(abs(margins[0]), abs(margins[-1])) <= MARGIN_MAX, "calibration", "a margin is out of bounds")
    require(all(x <= y for x, y in pairwise(scores)), "calibration", "scores fall")
    require(scores[0] >= 0 and scores[-1] <= SCORE_MAX_BP, "calibration", "a score is out of bounds")


def _check_window(window: Window) -> None:
    require(window.trained_from_us <= window.trained_until_us, "window", "training ends before it begins")
    require(window.held_from_us <= window.held_until_us, "window", "held-out days end before they begin")
    require(0 <= window.frauds <= window.rows, "window", "more frauds than rows, or fewer than none")


def _check_figures(figures: Sequence[tuple[str, int]]) -> None:
    names = [name for name, _ in figures]
    require(len(names) <= FIGURES_MAX, "figures", f"more than {FIGURES_MAX}")
    require(all(NAME.fullmatch(name) for name in names), "figures", "a name is not a-z, 0-9 and _")
    require(all(x < y for x, y in pairwise(names)), "figures", "not by name, each once")


def _ascending(numbers: Sequence[int]) -> bool:
    return all(x < y for x, y in pairwise(numbers))
