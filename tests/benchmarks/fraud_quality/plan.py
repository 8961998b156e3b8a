"""When is trained and tested: the last weeks of a data set, each by a model of what was known before it.

| training window | 7 days' delay | test week |
                  ^ labels known at the start of the test week count, and no others
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.fraud_quality.features import DAY_US, NEVER, Columns

DELAY_DAYS = 7
WEEK_DAYS = 7


@dataclass(frozen=True)
class Week:
    """One test week."""

    start_us: int
    train: np.ndarray
    """Places of the payments to train with."""
    known: np.ndarray
    """Which of those are known to be frauds when the week starts; bool."""
    test: np.ndarray
    """Places of the payments of the week."""
    fresh: np.ndarray
    """Which of those are of customers not known to be compromised at the start of their day; bool. A customer
    is known by a labelled fraud that is not older than the training window."""


@dataclass(frozen=True)
class Plan:
    """How many weeks are tested, and how long a model looks back."""

    weeks: int
    train_days: int
    days: int
    """Of the whole data set; the test weeks are its last ones."""

    @property
    def first_test_day(self) -> int:
        """The first day that is tested, counted from the start of the data set."""
        return self.days - WEEK_DAYS * self.weeks

    def over(self, columns: Columns) -> Iterator[Week]:
        """Yield the test weeks."""
        first_day = int(columns.at[0] // DAY_US)
        for number in range(self.weeks):
            start_day = first_day + self.first_test_day + WEEK_DAYS * number
            start, until = start_day * DAY_US, (start_day - DELAY_DAYS) * DAY_US
            since = until - self.train_days * DAY_US
            edges = np.searchsorted(columns.at, [since, until, start, start + WEEK_DAYS * DAY_US])
            train, test = np.arange(edges[0], edges[1]), np.arange(edges[2], edges[3])
            known = columns.labelled_at[train] <= start
            yield Week(start, train, known, test, _fresh(columns, test, since))


def _fresh(columns: Columns, test: np.ndarray, since: int) -> np.ndarray:
    """Return which payments are of customers of whom no fraud since then is known when their day starts."""
    frauds = np.flatnonzero((columns.labelled_at != NEVER) & (columns.at >= since))
    first_known = np.full(int(columns.debtor.max()) + 1, NEVER)
    np.minimum.at(first_known, columns.debtor[frauds], columns.labelled_at[frauds])
    day = columns.at[test] // DAY_US * DAY_US
    found: np.ndarray = first_known[columns.debtor[test]] > day
    return found
