"""How much two items have in common besides the amount: references, the other party, words."""

from __future__ import annotations

from pipeline.domain.reconciliation.groups.bounds import LIKE_FROM
from pipeline.domain.reconciliation.scoring.item import Item

WORDS_MIN = 2
"""One word in common is at most half of what there could be."""


def share_reference(left: Item, right: Item) -> bool:
    """Whether two items have a reference in common."""
    return not set(left.references).isdisjoint(right.references)


def contradict(left: Item, right: Item) -> bool:
    """Whether both have references, and none in common."""
    return bool(left.references and right.references) and not share_reference(left, right)


def party_likeness(left: Item, right: Item, common: frozenset[str]) -> int:
    """Return how much of the shorter name of the other party is in the longer one, per mille."""
    one, two = set(left.counterparty) - common, set(right.counterparty) - common
    shorter = min(len(one), len(two))
    return len(one & two) * 1000 // shorter if shorter else 0


def likeness(left: Item, right: Item, common: frozenset[str]) -> int:
    """Return how like two items are by the other party or by all their words, whichever says more; per mille.

    Of all words, the share of the shorter text counts: a bank cuts texts. One word in common is 500 at most.
    """
    one = {*left.words, *left.counterparty} - common
    two = {*right.words, *right.counterparty} - common
    shorter = max(min(len(one), len(two)), WORDS_MIN)
    return max(party_likeness(left, right, common), len(one & two) * 1000 // shorter)


def are_like(left: Item, right: Item, common: frozenset[str]) -> bool:
    """Whether two items are of the same business by reference, party or words."""
    return share_reference(left, right) or likeness(left, right, common) >= LIKE_FROM


def of_others(left: Item, right: Item, common: frozenset[str]) -> bool:
    """Whether both name another party, and not the same one."""
    named = bool(set(left.counterparty) - common) and bool(set(right.counterparty) - common)
    return named and not are_like(left, right, common)
