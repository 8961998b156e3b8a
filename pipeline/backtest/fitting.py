"""One model of a whole history, for the stream to use from now on."""

from __future__ import annotations

from dataclasses import replace

from pipeline.backtest.features import features_of
from pipeline.backtest.history import History, Labels
from pipeline.backtest.running import LEARNED_OF, Progress, learned
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.model.artefact import Model
from pipeline.training.boosted import Training, train_boosted
from pipeline.training.costs import Costs
from pipeline.training.data import DAY_US, Payments
from pipeline.training.fitting import Boosting
from pipeline.training.isolation import Isolation, train_isolation
from pipeline.training.walk_forward import Remembered

ROWS_MAX = 1_000_000
"""Most payments that are learned from; of more each has the same chance."""
GENUINE_MAX = 300_000


def training(costs: Costs, held_days: int, delay_days: int, threads: int) -> Training:
    """Return how `ledgerflow train` trains."""
    return Training(
        boosting=replace(Boosting(), threads=threads),
        delay_us=delay_days * DAY_US,
        held_us=held_days * DAY_US,
        costs=costs,
        genuine_max=GENUINE_MAX,
    )


def fit(
    history: History, labels: Labels, rates: Rates, how: Training, progress: Progress = lambda done: None
) -> Model:
    """Return a model of all payments and labels. Raises TrainingError."""
    seen = _seen(history, labels, rates, progress)
    return train_boosted(seen, now_us(history, labels, how.delay_us), how)


def fit_anomaly(
    history: History, labels: Labels, rates: Rates, how: Isolation, progress: Progress = lambda done: None
) -> Model:
    """Return a model of what is strange among all payments, whatever their labels. Raises TrainingError.

    Labels only change features, as they do in the stream.
    """
    return train_isolation(_seen(history, labels, rates, progress), how)


def _seen(history: History, labels: Labels, rates: Rates, progress: Progress) -> Payments:
    """Return all payments with their features; of more than ROWS_MAX each has the same chance."""
    seen, known = Remembered(LEARNED_OF, ROWS_MAX), labels.known_us(len(history))
    for places, features in features_of(history, labels, rates):
        seen.add(learned(history, places, features, known))
        progress(places.stop)
    return seen.since(0)


def now_us(history: History, labels: Labels, delay_us: int) -> int:
    """Return the time at which it is trained: the last label's, at most a delay after the last payment."""
    last = int(history.at_us[-1])
    told = int(labels.at_us[-1]) if len(labels.at_us) else last
    return max(last, min(told, last + delay_us)) + 1
