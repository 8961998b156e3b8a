"""What is decided about the items of a component: confirmed, suggested or open.

A pair is confirmed if it is in the best assignment of its component, its score is high enough, and every
assignment without it is worse by a margin. So of equal twins none is confirmed: changing them over costs
nothing. What may never be confirmed (`edges.confirmable`) competes with no pair that may: a fee with its
payment's reference does not dispute the payment. What is not confirmed is suggested to a person from a lower
score on, at most SUGGESTIONS_MAX pairs an item. All other items stay open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from pipeline.domain.reconciliation.assigning.best import best_pairs
from pipeline.domain.reconciliation.assigning.edges import Edge, order
from pipeline.domain.reconciliation.scoring.weights import Weights

SUGGESTIONS_MAX = 3
"""Pairs that are suggested for one item."""


class Outcome(Enum):
    """What is decided about a pair."""

    CONFIRMED = "confirmed"
    SUGGESTED = "suggested"


class Decided(NamedTuple):
    """A pair and its outcome."""

    edge: Edge
    outcome: Outcome
    margin: int
    """By how much the best assignment without it is worse; 0 if it is not in the best one."""


def decide(edges: Sequence[Edge], weights: Weights, early: bool = False) -> list[Decided]:
    """Decide about the edges of one component: the confirmed pairs first, each part strongest first.

    `early` asks for the greater margin of a pair whose rivals may not have come yet.
    """
    margin = weights.early_margin if early else weights.margin
    by_ends = {(edge.posting, edge.line): edge for edge in edges if edge.score >= weights.suggest_from}
    gains = {ends: edge.score - weights.suggest_from for ends, edge in by_ends.items() if edge.confirmable}
    margins = {by_ends[pair.posting, pair.line]: pair.margin for pair in best_pairs(gains)}
    confirmed = [
        edge
        for edge in sorted(margins, key=order)
        if edge.score >= weights.confirm_from and margins[edge] >= max(margin, 1)
    ]
    gone = {
        (is_line, key) for edge in confirmed for is_line, key in ((False, edge.posting), (True, edge.line))
    }
    left = [edge for edge in by_ends.values() if not gone & {(False, edge.posting), (True, edge.line)}]
    left.sort(key=lambda edge: (edge not in margins, order(edge)))
    return [Decided(edge, Outcome.CONFIRMED, margins[edge]) for edge in confirmed] + [
        Decided(edge, Outcome.SUGGESTED, margins.get(edge, 0)) for edge in _for_people(left)
    ]


def _for_people(edges: Sequence[Edge]) -> list[Edge]:
    kept, count = [], Counter[tuple[bool, bytes]]()
    for edge in edges:
        ends = ((False, edge.posting), (True, edge.line))
        if all(count[end] < SUGGESTIONS_MAX for end in ends):
            kept.append(edge)
            count.update(ends)
    return kept
