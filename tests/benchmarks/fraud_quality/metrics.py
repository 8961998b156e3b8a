"""Metrics of scores: average precision, area under the ROC curve, card precision, curves."""

from __future__ import annotations

import numpy as np

BINS = 10


def average_precision(fraud: np.ndarray, score: np.ndarray) -> float:
    """Return the mean precision over the frauds, highest score first; equal scores count as one step."""
    found, alerts = _steps(fraud, score)
    gained = np.diff(found, prepend=0)
    return float((gained * found / alerts).sum() / max(found[-1], 1))


def area_under_roc(fraud: np.ndarray, score: np.ndarray) -> float:
    """Return how often a fraud has a higher score than a genuine payment; an equal one is half."""
    found, alerts = _steps(fraud, score)
    genuine = alerts - found
    pairs = found[-1] * genuine[-1]
    lower = np.concatenate([[0], found[:-1]])
    return float((np.diff(genuine, prepend=0) * (found + lower) / 2).sum() / pairs) if pairs else 0.5


def precision_recall(fraud: np.ndarray, score: np.ndarray, points: int = 200) -> list[tuple[float, float]]:
    """Return (recall, precision) at up to so many thresholds, the highest first."""
    found, alerts = _steps(fraud, score)
    places = np.unique(np.searchsorted(found, np.linspace(1, found[-1], points)).clip(max=len(found) - 1))
    return [(float(found[at] / found[-1]), float(found[at] / alerts[at])) for at in places]


def _steps(fraud: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return at each different score, the highest first, how many frauds and payments have at least it."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return np.cumsum(fraud[order])[last].astype(np.float64), last + 1.0


def card_precision(
    day: np.ndarray, customer: np.ndarray, fraud: np.ndarray, score: np.ndarray, top: int = 100
) -> float:
    """Return the mean over the days of the share of compromised customers among the `top` of the day.

    A customer's score of a day is the highest; it is compromised if one of its payments of the day is a
    fraud. As the book does, a customer that was found so is left out on later days. Where a day has fewer
    customers than `top`, the share is still one of `top`. Equal scores come in the order of the customers.
    """
    found: set[int] = set()
    shares = []
    for one in np.unique(day):
        today = np.flatnonzero((day == one) & ~np.isin(customer, np.array(sorted(found), np.int64)))
        order = today[np.lexsort((-score[today], customer[today]))]
        people, first = np.unique(customer[order], return_index=True)
        highest = score[order][first]
        compromised = np.isin(people, customer[today][fraud[today] > 0])
        best = np.argsort(-highest, kind="stable")[:top]
        hits = people[best][compromised[best]]
        found.update(hits.tolist())
        shares.append(len(hits) / top)
    return float(np.mean(shares))


def reliability(fraud: np.ndarray, score: np.ndarray) -> list[tuple[float, float, int]]:
    """Return (mean score, share of frauds, payments) of scores from 0 to 1, by tenths."""
    place = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    total, frauds = (np.bincount(place, weights, minlength=BINS) for weights in (score, fraud))
    return [
        (float(total[at] / count[at]), float(frauds[at] / count[at]), int(count[at]))
        for at in np.flatnonzero(count)
    ]
