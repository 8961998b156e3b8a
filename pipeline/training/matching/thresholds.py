"""Thresholds: from which score and margin on the labels have shown that a pair is right.

Each pair is judged by weights that were learned without it (two folds). The margin is the least one at which
even an unlucky draw of as many labels would hold the precision that is asked for. Where there are too few
labels to show that, the margins from before stay; a pair must then be likelier than none (learned scores are
odds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import msgspec
import numpy as np

from pipeline.domain.reconciliation.scoring.features import Evidence
from pipeline.domain.reconciliation.scoring.weights import Weights
from pipeline.training.matching.fitting import fit, scores
from pipeline.training.matching.groups import Groups, groups

PRECISION = 0.999
"""What the confirmed pairs among the labels must reach, an unlucky draw allowed for."""
UNLUCKY_WRONG = 3.0
"""Wrong pairs that are allowed for beyond those seen: none in n shows 1 - 3/n (rule of three, 95 %)."""
MISSING_SHARE = 0.005
"""So many items are taken to have no partner; what is confirmed for them is wrong. Labels do not tell."""
EARLY_MORE = 1_000
"""By so much the margin on arrival is greater than the one of an item that is due."""
LIKELIER_THAN_NONE = 1_000
"""The least score of a confirmed pair, where too few labels show which it is."""
SUGGESTED_PER_10_000 = 9_995
"""So many of the labelled pairs are at least suggested."""
SUGGEST_FROM_MIN = -5_000
"""The least score from which on pairs are suggested: what is far less likely only costs time."""
_CONFIRM_FROM = tuple(range(0, 6_001, 500))
_MARGINS = tuple(range(1_500, 6_001, 250))

Pairs = Sequence[tuple[bytes, bytes, Evidence]]


def learn(
    pairs: Pairs,
    partners: Mapping[bytes, bytes],
    before: Weights,
    rejected: Set[tuple[bytes, bytes]] = frozenset(),
) -> Weights:
    """Return weights and thresholds learned from labelled and rejected pairs; see `groups` for what is given.

    Without labels, or without candidates of what is labelled, the weights from before are returned.
    """
    found = groups(pairs, partners, rejected)
    if not len(found.group):
        return before
    fitted = _with_suggestions(fit(found, before), found)
    judged_from = msgspec.structs.replace(before, suggest_from=fitted.suggest_from)
    return _with_thresholds(fitted, _shown(pairs, partners, judged_from, rejected))


def _with_suggestions(weights: Weights, found: Groups) -> Weights:
    right = np.sort(scores(found, weights)[found.right])
    if not len(right):
        return weights
    lowest = int(right[len(right) * (10_000 - SUGGESTED_PER_10_000) // 10_000])
    suggest_from = max(SUGGEST_FROM_MIN, min(weights.suggest_from, lowest))
    return msgspec.structs.replace(weights, suggest_from=suggest_from)


def _shown(
    pairs: Pairs, partners: Mapping[bytes, bytes], before: Weights, rejected: Set[tuple[bytes, bytes]]
) -> np.ndarray:
    """Return for each group: its best candidate's score and margin, if it is right, how much it counts."""
    shown = []
    for fold in (0, 1):
        inside = {
            line: posting for at, (line, posting) in enumerate(sorted(partners.items())) if at % 2 == fold
        }
        outside = {line: posting for line, posting in partners.items() if line not in inside}
        turned_down = {pair for at, pair in enumerate(sorted(rejected)) if at % 2 == fold}
        learned_from = groups(pairs, inside, turned_down)
        fitted = fit(learned_from, before) if len(learned_from.group) else before
        judged = groups(pairs, outside, rejected - turned_down)
        shown.append(_best_of_each(judged, fitted, before.suggest_from))
    return np.concatenate(shown)


def _best_of_each(judged: Groups, weights: Weights, nothing: int) -> np.ndarray:
    score = scores(judged, weights)
    order = np.lexsort((-score, judged.group))
    group, score, right = judged.group[order], score[order], judged.right[order]
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.zeros(0, np.int64)
    second = np.minimum(first + 1, len(group) - 1)
    alone = (first + 1 >= len(group)) | (group[second] != group[first])
    rival = np.where(alone, nothing, np.maximum(score[second], nothing))
    counts = np.where(judged.counts[group[first]] < 1, MISSING_SHARE, 1.0)
    shown: np.ndarray = np.stack([score[first], score[first] - rival, right[first], counts], axis=1)
    return shown


def _with_thresholds(weights: Weights, shown: np.ndarray) -> Weights:
    score, margins, right, counts = shown.T
    best, most = None, 0.0
    for confirm_from in _CONFIRM_FROM:
        for margin in _MARGINS:
            kept = (score >= confirm_from) & (margins >= margin)
            count = float(counts[kept].sum())
            wrong = count - float(counts[kept & (right == 1)].sum()) + UNLUCKY_WRONG
            if wrong <= count * (1 - PRECISION) and count - wrong > most:
                best, most = (confirm_from, margin), count - wrong
    if best is None:
        unshown = min(weights.confirm_from, LIKELIER_THAN_NONE)
        return msgspec.structs.replace(weights, confirm_from=unshown)
    confirm_from, margin = best
    return msgspec.structs.replace(
        weights, confirm_from=confirm_from, margin=margin, early_margin=margin + EARLY_MORE
    )
