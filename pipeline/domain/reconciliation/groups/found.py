"""What a search finds: groups, what they are worth, and whether one of them is sure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.groups.bounds import (
    CONFIRM_FROM,
    MARGIN,
    SUGGEST_FROM,
    SUGGESTIONS_MAX,
)
from pipeline.domain.reconciliation.groups.worth import NOTHING_UNKNOWN, RULES_WORTH
from pipeline.domain.reconciliation.scoring.item import Item

CONFIRMED, SUGGESTED, OPEN = "CONFIRMED", "SUGGESTED", "OPEN"


class Group(msgspec.Struct, frozen=True, gc=False):
    """Lines and postings that are one business, and why.

    The lines' sum is the postings' sum less the fee.
    """

    rule: str
    """Where it was found: REFERENCE, DETAILS, COUNTERPARTY, PARTY, DAY, WINDOW, and REVERSAL."""
    lines: tuple[bytes, ...]
    """Keys, in order."""
    postings: tuple[bytes, ...]
    """Keys, in order."""
    fee_minor: int
    """What was taken off on the way, minor units; 0: the sums are equal."""
    score: int
    """What the group is worth, milli-log-odds: the sum of its parts."""
    parts: tuple[tuple[str, int], ...]
    """What speaks for it and against it, milli-log-odds."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the keys of all its items."""
        return self.lines + self.postings


class Found(msgspec.Struct, frozen=True, gc=False):
    """The outcome of a search."""

    outcome: str
    """CONFIRMED: exactly one group. SUGGESTED: at most three, the best first. OPEN: none."""
    groups: tuple[Group, ...] = ()
    complete: bool = True
    """Whether the search looked at all that it looks for, and at all items of the window."""


def group_of(rule: str, items: Iterable[Item], parts: Iterable[tuple[str, int]], fee_minor: int = 0) -> Group:
    """Return a group of items of both sides, with its score."""
    members = sorted(items, key=lambda item: item.key)
    named = tuple((name, worth) for name, worth in parts if worth)
    return Group(
        rule,
        tuple(item.key for item in members if item.is_line),
        tuple(item.key for item in members if not item.is_line),
        fee_minor,
        sum(worth for _, worth in named),
        named,
    )


def decided(due: Item, groups: Iterable[Group], unknown: int) -> Found:
    """Return what becomes of an item, given all groups that were found around it.

    Confirmed is its best group, if it is worth enough, and every other group that has one of the best one's
    items is worth less by a margin. `unknown` is what the most telling rule is worth that was not searched to
    its end: there may be another group, so none is sure that was found by a rule no more telling.
    """
    complete = unknown == NOTHING_UNKNOWN
    ranked = ranking(groups)
    mine = [group for group in ranked if due.key in group.keys and group.score >= SUGGEST_FROM]
    if not mine:
        return Found(OPEN, (), complete)
    best = mine[0]
    taken = set(best.keys)
    rivals = (group for group in ranked if group is not best and not taken.isdisjoint(group.keys))
    alone = all(best.score - rival.score >= MARGIN for rival in rivals)
    if RULES_WORTH[best.rule] > unknown and alone and best.score >= CONFIRM_FROM:
        return Found(CONFIRMED, (best,), complete)
    return Found(SUGGESTED, tuple(mine[:SUGGESTIONS_MAX]), complete)


def ranking(groups: Iterable[Group]) -> list[Group]:
    """Return each set of items once, at its highest worth; the best first, ties by fewest and first keys."""
    best: dict[tuple[bytes, ...], Group] = {}
    for group in groups:
        known = best.get(group.keys)
        if known is None or _rank(group) < _rank(known):
            best[group.keys] = group
    return sorted(best.values(), key=_rank)


def _rank(group: Group) -> tuple[object, ...]:
    return (-group.score, len(group.keys), group.lines, group.postings, group.fee_minor, group.rule)
