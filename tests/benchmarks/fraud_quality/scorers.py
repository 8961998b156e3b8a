"""Who decides: a scorer takes payments and labels of a data set and says what it makes of each payment.

A scorer goes through the payments in the order of their time, and may use a label from `labelled_at` on,
never before. It does not get what is for evaluation only. `ours.backtest` is the product's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Scores:
    """What a scorer says of each payment, in the order of the payments."""

    score: np.ndarray
    """A higher one is more suspicious; float64, or int64."""
    outcome: list[str]
    """APPROVE, REVIEW or DECLINE; the latter two are alerts."""
    reasons: list[tuple[str, ...]]
    """Names of the rules, or of whatever led to the score."""

    @property
    def alert(self) -> np.ndarray:
        """Which payments are alerts; bool."""
        return np.array([outcome != "APPROVE" for outcome in self.outcome], bool)


Scorer = Callable[[pa.Table, pa.Table], Scores]
"""Takes payments and labels as `fraud_data.tables.DataSet` has them."""


def looked_ahead(scorer: Scorer, payments: pa.Table, labels: pa.Table) -> int:
    """Return how many payments of the first half are decided otherwise when nothing later is there."""
    half = payments.num_rows // 2
    known = labels.filter(pc.less_equal(labels["labelled_at"], payments["occurred_at"][half - 1]))
    with_later, without = scorer(payments, labels), scorer(payments.slice(0, half), known)
    pairs = (
        zip(said.score[:half].tolist(), said.outcome[:half], said.reasons[:half], strict=True)
        for said in (with_later, without)
    )
    return sum(one != other for one, other in zip(*pairs, strict=True))
