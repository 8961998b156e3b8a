"""An account as weights are learned: which candidates are looked at for each item, and with which evidence.

Items come in the order of time and leave as they would in the stream: by a clean reference at once, by score
when it is clear or due. Only the evidence of labelled items is kept; nothing else is known of labels here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from functools import partial

from pipeline.backtest.matching.memory import Index, Knowledge
from pipeline.domain.reconciliation.assigning.blocking import by_reference, candidates, index_keys
from pipeline.domain.reconciliation.assigning.clean import clean_match
from pipeline.domain.reconciliation.assigning.components import around
from pipeline.domain.reconciliation.assigning.edges import EDGES_MAX, Edge, confirmable, link, order, unlink
from pipeline.domain.reconciliation.assigning.outcomes import Outcome, decide
from pipeline.domain.reconciliation.scoring.constants import without_constants
from pipeline.domain.reconciliation.scoring.evidence import evidence
from pipeline.domain.reconciliation.scoring.features import Evidence
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.weights import Weights

ITEMS_MAX, EARLY_ITEMS_MAX = 64, 32
"""Items of a component when one is due, and on arrival."""
Pair = tuple[bytes, bytes, Evidence]


class Looking:
    """The open items of an account, their index and edges."""

    def __init__(self, weights: Weights, labelled: Set[bytes]) -> None:
        """`labelled`: keys of the items whose evidence is kept."""
        self._weights, self._labelled = weights, labelled
        self._index, self._known = Index(), Knowledge()
        self._open: dict[bytes, Item] = {}
        self._keys: dict[bytes, list[bytes]] = {}
        self._edges: dict[bytes, list[Edge]] = {}
        self._came: deque[tuple[int, bytes]] = deque()
        """Items that wait to be due, by the day on which they came."""
        self._over: deque[tuple[int, bytes]] = deque()
        """Those that were due; they stay for as long again."""
        self._today = 0
        self.pairs: list[Pair] = []
        """Posting, line and evidence of the candidates of labelled items."""

    def arrive(self, item: Item) -> None:
        """Take the next item."""
        if item.booked_day > self._today:
            self._pass_time(item.booked_day)
        self._known.see(item)
        item = without_constants(item, partial(self._known.items_with, item.is_line))
        others = [self._open[key] for key in by_reference(item, self._index)] if item.references else []
        other = clean_match(item, others)
        if other is not None:
            self._settle(item, other)
            return
        self._open[item.key], self._edges[item.key] = item, []
        for edge in self._look(item):
            link(self._edges, edge)
        self._keys[item.key] = index_keys(item, self._known)
        self._index.add(self._keys[item.key])
        self._came.append((self._today, item.key))
        self._decide(item.key, early=True)

    def _pass_time(self, day: int) -> None:
        self._today = day
        wait = self._known.wait_days
        while self._came and self._came[0][0] + wait < day:
            _, key = self._came.popleft()
            if key in self._open:
                self._decide(key, early=False)
            if key in self._open:
                self._over.append((day, key))
        while self._over and self._over[0][0] + wait < day:
            self._forget(self._over.popleft()[1])

    def _look(self, item: Item) -> list[Edge]:
        edges = []
        for key in candidates(item, self._index, self._known):
            other = self._open[key]
            posting, line = (other, item) if item.is_line else (item, other)
            seen = evidence(posting, line, self._known)
            if posting.key in self._labelled or line.key in self._labelled:
                self.pairs.append((posting.key, line.key, seen))
            score = self._weights.score(seen)
            if score >= self._weights.suggest_from:
                edges.append(Edge(posting.key, line.key, score, confirmable(seen)))
        return sorted(edges, key=order)[:EDGES_MAX]

    def _decide(self, key: bytes, early: bool) -> None:
        own = self._edges[key]
        if not own or (early and own[0].score < self._weights.confirm_from):
            return
        edges = around(key, self._edges.__getitem__, EARLY_ITEMS_MAX if early else ITEMS_MAX)
        for decided in decide(edges, self._weights, early, key):
            if decided.outcome is Outcome.CONFIRMED:
                self._settle(self._open[decided.edge.posting], self._open[decided.edge.line])

    def _settle(self, one: Item, other: Item) -> None:
        posting, line = (other, one) if one.is_line else (one, other)
        self._known.settled(line.booked_day - posting.day)
        for item in (posting, line):
            self._forget(item.key)

    def _forget(self, key: bytes) -> None:
        item = self._open.pop(key, None)
        if item is None:
            return
        for edge in list(self._edges[key]):
            unlink(self._edges, edge)
        del self._edges[key]
        self._index.remove(self._keys.pop(key))
        self._known.forget(item)
