"""What weights are learned from: all candidates of an item whose partner is known, and which one is right.

A group is a choice: one of the candidates, or none of them. Each labelled pair makes up to four groups: the
line among its postings and the posting among its lines, each once as it was, and once, counting for less, as
if the partner had never come. The latter teach which score is too low: people label pairs, and hardly ever
that something has no partner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

import numpy as np

from pipeline.domain.reconciliation.scoring.features import FEATURES, Evidence

GROUPS_MAX = 60_000
"""Labelled pairs that are learned from; those whose lines' keys come first."""
MISSING_COUNTS = 0.1
"""How much a group counts from which the partner was taken out."""

SIZES = tuple(len(feature.buckets) for feature in FEATURES)
STARTS = np.concatenate([[0], np.cumsum(SIZES)[:-1]]).astype(np.int64)
"""Where the buckets of each feature begin, among all buckets one after the other."""


class Groups(NamedTuple):
    """Groups as columns: a row is a candidate."""

    buckets: np.ndarray
    """The buckets of each candidate, counted over all features (rows x features, int64)."""
    group: np.ndarray
    """The group of each candidate, ascending (int64)."""
    right: np.ndarray
    """Whether it is the right one (bool)."""
    counts: np.ndarray
    """How much each group counts (float64)."""


def groups(
    pairs: Iterable[tuple[bytes, bytes, Evidence]],
    partners: Mapping[bytes, bytes],
    rejected: Set[tuple[bytes, bytes]] = frozenset(),
) -> Groups:
    """Return the groups of the items in `partners`, and one for each rejected pair: this one, or none.

    `pairs` are the candidates that the stream has looked at: posting, line, evidence. `partners` has the
    posting of each labelled line. An item without a candidate makes no group; one whose partner is not among
    its candidates makes groups without a right one. `rejected` are pairs, posting and line, that people
    turned down.
    """
    known = dict(sorted(partners.items())[:GROUPS_MAX])
    lines = {posting: line for line, posting in known.items()}
    found: dict[tuple[int, bytes, bytes], list[tuple[bool, Evidence]]] = {}
    for posting, line, evidence in pairs:
        right = known.get(line) == posting
        if line in known:
            found.setdefault((0, line, b""), []).append((right, evidence))
        if posting in lines:
            found.setdefault((1, posting, b""), []).append((right, evidence))
        if (posting, line) in rejected and not right:
            found[2, posting, line] = [(False, evidence)]
    rows: list[Evidence] = []
    group: list[int] = []
    rights: list[bool] = []
    counts: list[float] = []
    for key in sorted(found):
        candidates = found[key]
        without = [one for one in candidates if not one[0]]
        for count, kept in ((1.0, candidates), (MISSING_COUNTS, without if key[0] < 2 else [])):
            if kept:
                rows += [evidence for _, evidence in kept]
                rights += [right for right, _ in kept]
                group += [len(counts)] * len(kept)
                counts.append(count)
    buckets = np.array(rows, np.int64).reshape(-1, len(FEATURES)) + STARTS
    return Groups(buckets, np.array(group, np.int64), np.array(rights, bool), np.array(counts))
