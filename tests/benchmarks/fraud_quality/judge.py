"""Scores of a data set to figures: rankings by test week, alerts and typologies over all test weeks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tests.benchmarks.fraud_data.tables import DataSet
from tests.benchmarks.fraud_quality.features import DAY_US, Columns
from tests.benchmarks.fraud_quality.metrics import (
    area_under_roc,
    average_precision,
    card_precision,
    precision_recall,
    reliability,
)
from tests.benchmarks.fraud_quality.plan import Plan

CAPACITY = 0.01
"""The share of payments that people can look at: what the peer, which decides nothing, is given as alerts."""


class Judge:
    """What is true of a data set, beside what a scorer says."""

    def __init__(self, made: DataSet, columns: Columns, plan: Plan) -> None:
        self._columns = columns
        self._weeks = list(plan.over(columns))
        self._fraud = made.truth["fraud"].to_numpy().astype(np.int64)
        self._kind = np.array(made.truth["kind"].to_pylist(), object)
        self._instance = made.truth["instance"].fill_null(-1).to_numpy()
        self._instances = made.instances
        self.tested = np.concatenate([week.test for week in self._weeks])

    def ranking(self, score: np.ndarray) -> dict[str, float]:
        """Return AP, AUC, CP@100: means over the test weeks, without customers known to be compromised."""
        found = []
        for week in self._weeks:
            of = week.test[week.fresh]
            fraud, ours, day = self._fraud[of], score[of], self._columns.at[of] // DAY_US
            if not fraud.any():  # a week of a small data set
                continue
            precision = card_precision(day, self._columns.debtor[of], fraud, ours)
            found.append((average_precision(fraud, ours), area_under_roc(fraud, ours), precision))
        names = ("average_precision", "auc", "card_precision_100")
        return {name: round(float(one), 4) for name, one in zip(names, np.mean(found, axis=0), strict=True)}

    def curves(self, score: np.ndarray, scale: float) -> dict[str, Any]:
        """Return points of precision and recall, and of reliability, over all tested payments.

        `scale`: the score that stands for certainty.
        """
        fraud, ours = self._fraud[self.tested], score[self.tested]
        chance = np.clip(ours / scale, 0, 1)
        return {
            "precision_recall": [[round(x, 4), round(y, 4)] for x, y in precision_recall(fraud, ours, 60)],
            "reliability": [[round(x, 4), round(y, 4), count] for x, y, count in reliability(fraud, chance)],
        }

    def most_suspicious(self, score: np.ndarray) -> np.ndarray:
        """Return the payments that people could look at: the highest scores of each test week; bool."""
        alert = np.zeros(len(score), bool)
        for week in self._weeks:
            best = np.argsort(-score[week.test], kind="stable")[: int(CAPACITY * len(week.test))]
            alert[week.test[best]] = True
        return alert

    def alerts(self, alert: np.ndarray) -> dict[str, Any]:
        """Return rate, precision, payroll's share of alerts, and the recall of each typology.

        An instance counts that begins in the test weeks; it is found when one of its payments is an alert, no
        later than its last.
        """
        among = alert[self.tested]
        fraud, kind = self._fraud[self.tested][among], self._kind[self.tested][among]
        count = max(int(among.sum()), 1)
        return {
            "alert_rate": round(float(among.mean()), 5),
            "alert_precision": round(float(fraud.sum()) / count, 4),
            "payroll_share": round(float((kind == "payroll").sum()) / count, 4),
            "recall": self._recall(alert),
        }

    def _recall(self, alert: np.ndarray) -> dict[str, dict[str, int]]:
        first = self._instances["first_at"].cast(pa.int64()).to_numpy()
        last = self._instances["last_at"].cast(pa.int64()).to_numpy()
        hits = np.flatnonzero(alert & (self._instance >= 0))
        hits = hits[self._columns.at[hits] <= last[self._instance[hits]]]
        found = np.zeros(len(first), bool)
        found[self._instance[hits]] = True
        counted = first >= self._weeks[0].start_us
        kinds = np.array(self._instances["kind"].to_pylist(), object)
        return {
            str(kind): {
                "found": int(found[counted & (kinds == kind)].sum()),
                "of": int((counted & (kinds == kind)).sum()),
            }
            for kind in dict.fromkeys(kinds)
        }
