"""How good scores are on payments that the model has not learned from, per 1,000,000."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.fraud.model.artefact import SCORE_MAX_BP, Integers

E6 = 1_000_000


def average_precision_e6(margins: Integers, frauds: NDArray[np.bool_]) -> int:
    """Return the mean of the precision over all frauds, highest margins first; equal ones together."""
    found, seen = _by_margin(margins, frauds)
    gained = np.diff(found, prepend=0)
    return round(E6 * float((gained * found / seen).sum()) / max(1, int(found[-1])))


def auc_e6(margins: Integers, frauds: NDArray[np.bool_]) -> int:
    """Return how often a fraud has a higher margin than another payment; equal ones count half."""
    found, seen = _by_margin(margins, frauds)
    others = seen - found
    pairs = int(found[-1]) * int(others[-1])
    higher = (np.diff(others, prepend=0) * (found + np.concatenate(([0], found[:-1])))).sum()
    return round(E6 * float(higher) / 2 / max(1, pairs))


def calibration_error_e6(scores: Integers, frauds: NDArray[np.bool_], bins: int = 10) -> int:
    """Return by how much the mean score of equally many payments misses their share of frauds, on average."""
    order = np.argsort(scores, kind="stable")
    off = 0.0
    for part in np.array_split(order, bins):
        off += abs(float(scores[part].sum()) / SCORE_MAX_BP - float(frauds[part].sum()))
    return round(E6 * off / len(scores))


def at_threshold(scores: Integers, frauds: NDArray[np.bool_], threshold: int) -> dict[str, int]:
    """Return alert rate, precision and recall at a threshold."""
    alerts = scores >= threshold
    hits = int((alerts & frauds).sum())
    return {
        "alert_rate": E6 * int(alerts.sum()) // max(1, len(scores)),
        "precision": E6 * hits // max(1, int(alerts.sum())),
        "recall": E6 * hits // max(1, int(frauds.sum())),
    }


def _by_margin(margins: Integers, frauds: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return how many frauds, and how many payments, have each margin or a higher one; falling margins."""
    order = np.argsort(-margins, kind="stable")
    falling = margins[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    return np.cumsum(frauds[order], dtype=np.int64)[last], last.astype(np.int64) + 1
