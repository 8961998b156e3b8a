"""The peer: a plain XGBoost (50 trees, depth 3, rate 0.3) with the handbook's features, new each week.

`tree_method` is exact: the bins of the default one cut between round numbers of their own, and find less.
Needs xgboost-cpu, of the extra `train`.
"""

from __future__ import annotations

import numpy as np
import xgboost

from tests.benchmarks.fraud_quality.features import Columns
from tests.benchmarks.fraud_quality.plan import Plan

TREES = 50
SETTINGS = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.3,
    "tree_method": "exact",
    "nthread": 1,
    "seed": 0,
}


def scores(features: np.ndarray, columns: Columns, plan: Plan) -> np.ndarray:
    """Return a probability for each payment of the test weeks, NaN for those before; float64."""
    found = np.full(len(features), np.nan)
    for week in plan.over(columns):
        known = xgboost.DMatrix(features[week.train], week.known)
        model = xgboost.train(SETTINGS, known, TREES)
        found[week.test] = model.predict(xgboost.DMatrix(features[week.test]))
    return found
