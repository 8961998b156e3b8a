"""An edge: a posting and a line that may belong together, and how much speaks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domain.reconciliation.scoring.amounts import (
    CURRENCY,
    EQUAL,
    EQUAL_ROUND,
    FAR,
    INSTRUCTED,
    RATE,
    SIGN,
)
from pipeline.domain.reconciliation.scoring.features import AMOUNT, FEATURES, KIND, REFERENCE, Evidence

EDGES_MAX = 8
"""Edges of an item; the strongest."""

_AMOUNT, _KIND = FEATURES.index(AMOUNT), FEATURES.index(KIND)
_AGREEING = (EQUAL, EQUAL_ROUND, INSTRUCTED, RATE)
_REFERENCE = FEATURES.index(REFERENCE)
_SHARED = [REFERENCE.at(one) for one in REFERENCE.buckets[1:4]]
_OTHER = REFERENCE.at("different references")
_PLAIN, _BATCH = 0, KIND.at("a batch")


class Edge(NamedTuple):
    """A posting and a line by their keys, and the score of the pair."""

    posting: bytes
    line: bytes
    score: int
    confirmable: bool = True
    """False for what a person has to look at whatever its score is: see `confirmable`."""

    def other(self, key: bytes) -> bytes:
        """Return the other end."""
        return self.line if key == self.posting else self.posting


def confirmable(evidence: Evidence) -> bool:
    """Return whether a pair may be confirmed as one to one at all.

    Not if the amounts are far apart, of other currencies without a rate, or opposite: that is a part of a
    payment, a group or an error. Not if the amounts differ and the references do, too: two payments. Not if
    the statement calls the line a fee, a reversal or information.
    """
    amount = evidence[_AMOUNT]
    if amount in (FAR, CURRENCY, SIGN) or evidence[_KIND] not in (_PLAIN, _BATCH):
        return False
    return amount in _AGREEING or evidence[_REFERENCE] != _OTHER


def amounts_agree(evidence: Evidence) -> bool:
    """Return whether the amounts are one: equal, as instructed, or at the day's rate."""
    return evidence[_AMOUNT] in _AGREEING


def is_part(evidence: Evidence) -> bool:
    """Return whether two items have a reference in common, and amounts far apart: a part of a sum."""
    return evidence[_AMOUNT] == FAR and evidence[_REFERENCE] in _SHARED


def order(edge: Edge) -> tuple[int, bytes, bytes]:
    """Return what edges are sorted by: the strongest first, equal ones by their keys."""
    return -edge.score, edge.posting, edge.line


def strongest(edges: Iterable[Edge], each: int = EDGES_MAX) -> list[Edge]:
    """Return the strongest edges, so many at most at each item, strongest first."""
    kept, count = [], Counter[bytes]()
    for edge in sorted(edges, key=order):
        if count[edge.posting] < each and count[edge.line] < each:
            kept.append(edge)
            count[edge.posting] += 1
            count[edge.line] += 1
    return kept


def link(edges_of: dict[bytes, list[Edge]], edge: Edge) -> None:
    """Add an edge to the lists of its two ends, if it is among the EDGES_MAX strongest of both.

    What it pushes out of one end's list leaves the other end's list, too: an edge is in both or in none.
    """
    pushed_out = []
    for end in (edge.posting, edge.line):
        edges = edges_of[end]
        if len(edges) >= EDGES_MAX:
            weakest = max(edges, key=order)
            if order(weakest) < order(edge):
                return
            pushed_out.append(weakest)
    for weakest in pushed_out:
        unlink(edges_of, weakest)
    for end in (edge.posting, edge.line):
        edges_of[end].append(edge)
        edges_of[end].sort(key=order)


def unlink(edges_of: dict[bytes, list[Edge]], edge: Edge) -> None:
    """Take an edge out of the lists of its two ends; nothing happens if it is in none."""
    for end in (edge.posting, edge.line):
        if edge in edges_of.get(end, ()):
            edges_of[end].remove(edge)
