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


def decide(
    edges: Sequence[Edge], weights: Weights, early: bool = False, about: bytes | None = None
) -> list[Decided]:
    """Decide about the edges of one component: the confirmed pairs first, each part strongest first.

    `early` asks for the greater margin of a pair whose rivals may not have come yet. With `about`, the key of
    an item, only its pairs are decided; what is suggested for it then does not ask what else is confirmed.
    """
    needed = max(weights.early_margin if early else weights.margin, 1)
    by_ends = {(edge.posting, edge.line): edge for edge in edges if edge.score >= weights.suggest_from}
    gains = {ends: edge.score - weights.suggest_from for ends, edge in by_ends.items() if edge.confirmable}
    margins = {by_ends[pair.posting, pair.line]: pair.margin for pair in best_pairs(gains, about)}
    confirmed = sorted(
        (edge for edge, margin in margins.items() if edge.score >= weights.confirm_from and margin >= needed),
        key=order,
    )
    gone = {end for edge in confirmed for end in _ends(edge)}
    left = [
        edge
        for edge in by_ends.values()
        if gone.isdisjoint(_ends(edge)) and (about is None or about in (edge.posting, edge.line))
    ]
    left.sort(key=lambda edge: (edge not in margins, order(edge)))
    return [Decided(edge, Outcome.CONFIRMED, margins[edge]) for edge in confirmed] + [
        Decided(edge, Outcome.SUGGESTED, margins.get(edge, 0)) for edge in _for_people(left)
    ]


def _ends(edge: Edge) -> tuple[tuple[bool, bytes], tuple[bool, bytes]]:
    return (False, edge.posting), (True, edge.line)


def _for_people(edges: Sequence[Edge]) -> list[Edge]:
    kept, count = [], Counter[tuple[bool, bytes]]()
    for edge in edges:
        ends = _ends(edge)
        if all(count[end] < SUGGESTIONS_MAX for end in ends):
            kept.append(edge)
            count.update(ends)
    return kept
