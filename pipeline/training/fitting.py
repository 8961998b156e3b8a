"""Fitting with xgboost, which is not needed anywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import MISSING, Integers
from pipeline.training.data import XgboostMissing
from pipeline.training.xgboost_trees import OBJECTIVE


@dataclass(frozen=True, slots=True)
class Boosting:
    """How trees are boosted."""

    trees: int = 50
    depth: int = 3
    learning_rate: float = 0.3
    tree_method: str = "exact"
    """`hist` with its default bins moves round cuts, such as an amount of 220.00."""
    bins: int = 256
    """For `hist` only."""
    step_max: float = 1.0
    """What a leaf may say before the learning rate, in the logarithm of odds; 0 for no limit.

    Where frauds are rare, a few that a tree is sure of wrongly make the next leaves overshoot without it.
    """
    threads: int = 1
    seed: int = 0


def boosted(columns: Integers, frauds: NDArray[np.bool_], how: Boosting) -> bytes:
    """Return a booster as xgboost's JSON. Raises XgboostMissing where xgboost is not installed."""
    xgboost = _xgboost()
    settings: dict[str, Any] = {
        "objective": OBJECTIVE,
        "max_depth": how.depth,
        "learning_rate": how.learning_rate,
        "max_delta_step": how.step_max,
        "tree_method": how.tree_method,
        "nthread": how.threads,
        "seed": how.seed,
    }
    if how.tree_method == "hist":
        settings["max_bin"] = how.bins
    matrix = xgboost.DMatrix(as_floats(columns), label=frauds.astype(np.float32), nthread=how.threads)
    return bytes(xgboost.train(settings, matrix, num_boost_round=how.trees).save_raw("json"))


def as_floats(columns: Integers) -> NDArray[np.float32]:
    """Return the features as xgboost takes them: a payment a row, NaN where a value is missing."""
    floats = columns.T.astype(np.float32)
    floats[columns.T == MISSING] = np.nan
    return floats


def require_xgboost() -> None:
    """Check that xgboost is installed. Raises XgboostMissing."""
    _xgboost()


def _xgboost() -> Any:
    try:
        import xgboost
    except ImportError as missing:
        raise XgboostMissing("training needs xgboost: pip install 'ledgerflow[train]'") from missing
    return xgboost
