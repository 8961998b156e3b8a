"""Ours and the peer on one data set, side by side."""

from __future__ import annotations

import sys
import time
from collections import Counter
from importlib.util import find_spec
from statistics import mean
from typing import Any

import numpy as np

from tests.benchmarks.fraud_data import handbook, mixture
from tests.benchmarks.fraud_data.frozen import generated
from tests.benchmarks.fraud_quality.features import columns_of, features
from tests.benchmarks.fraud_quality.judge import Judge
from tests.benchmarks.fraud_quality.ours import backtest
from tests.benchmarks.fraud_quality.plan import Plan
from tests.benchmarks.fraud_quality.scorers import Scorer, Scores

OURS: Scorer = backtest
CERTAIN = 10_000.0
"""The score of ours that stands for certainty; the peer's is 1."""
PLANS = {
    ("handbook", "default"): Plan(weeks=8, train_days=7, days=handbook.DEFAULT.days),
    ("handbook", "small"): Plan(weeks=4, train_days=21, days=handbook.SMALL.days),
    ("mixture", "default"): Plan(weeks=6, train_days=28, days=mixture.DEFAULT.days),
    ("mixture", "small"): Plan(weeks=4, train_days=14, days=mixture.SMALL.days),
}
RANKINGS = ("average_precision", "auc", "card_precision_100")
WITHOUT_PEER = "xgboost-cpu is missing: no peer, and ours is rules alone (pip install '.[train]')"


def compare(name: str, form: str, seed: int, ours: Scorer | None = None) -> dict[str, Any]:
    """Return the figures of ours and of the peer (None without xgboost) on one data set."""
    made, plan = generated(name, form, seed), PLANS[name, form]
    columns = columns_of(made.payments, made.labels)
    judge = Judge(made, columns, plan)
    began = time.perf_counter()
    said = (ours or OURS)(made.payments, made.labels)
    took = time.perf_counter() - began
    found: dict[str, Any] = {
        "payments": made.payments.num_rows,
        "tested": len(judge.tested),
        "ours": {
            **judge.ranking(said.score),
            **judge.alerts(said.alert),
            "reasons": _reasons(said, judge.tested),
            "curves": judge.curves(said.score, CERTAIN),
            "seconds": round(took, 1),
        },
        "peer": None,
    }
    if find_spec("xgboost") is not None:
        from tests.benchmarks.fraud_quality import peer

        began = time.perf_counter()
        score = peer.scores(features(columns), columns, plan)
        took = time.perf_counter() - began
        found["peer"] = {
            **judge.ranking(score),
            **judge.alerts(judge.most_suspicious(np.nan_to_num(score))),
            "curves": judge.curves(score, 1.0),
            "seconds": round(took, 1),
        }
    brief = {who: {key: found[who][key] for key in RANKINGS} for who in ("ours", "peer") if found[who]}
    print(f"{name} {form} {seed}: {brief}", file=sys.stderr, flush=True)
    return found


def _reasons(said: Scores, tested: np.ndarray) -> dict[str, int]:
    """Return how many alerts of the test weeks each reason stands in, the most frequent first."""
    alerts = tested[said.alert[tested]].tolist()
    return dict(Counter(name for place in alerts for name in said.reasons[place]).most_common())


def paired(seeds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the difference ours - peer of each ranking: mean, least and most of the seeds."""
    found = {}
    for name in RANKINGS:
        both = [seed for seed in seeds.values() if seed["peer"] is not None]
        apart = [seed["ours"][name] - seed["peer"][name] for seed in both]
        if apart:
            found[name] = {
                key: round(of(apart), 4) for key, of in (("mean", mean), ("min", min), ("max", max))
            }
    return found
