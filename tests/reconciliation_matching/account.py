"""An account in memory that matches as the stream will: on arrival where it is clear, else when due.

It is the test bench of texts, scoring and assigning: what arrives is an `Item`, what comes out is who was
confirmed with whom, when and by what, and what was suggested.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from typing import NamedTuple

from pipeline.domain.reconciliation.assigning.blocking import by_reference, candidates, index_keys
from pipeline.domain.reconciliation.assigning.clean import clean_match
from pipeline.domain.reconciliation.assigning.components import ITEMS_MAX, around
from pipeline.domain.reconciliation.assigning.edges import EDGES_MAX, Edge, confirmable, link, order, unlink
from pipeline.domain.reconciliation.assigning.outcomes import Decided, Outcome, decide
from pipeline.domain.reconciliation.scoring.constants import without_constants
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.evidence import evidence
from pipeline.domain.reconciliation.scoring.features import Evidence
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.weights import Weights
from tests.reconciliation_matching.memory import Index, Seen

EARLY_ITEMS_MAX = 32
"""Items of a component on arrival: what is further away changes little, and is looked at when it is due."""


class Match(NamedTuple):
    """A confirmed pair: its keys, tier, score and the day it was decided on."""

    posting: bytes
    line: bytes
    tier: str
    score: int
    day: int


class Account:
    """Open items, their index and their edges. `wait_days` is how long an item is open before it is due."""

    def __init__(
        self, weights: Weights = DEFAULT_WEIGHTS, wait_days: int = 31, items_max: int = ITEMS_MAX
    ) -> None:
        self.weights = weights
        self.wait_days = wait_days
        self.items_max = items_max
        self.index = Index()
        self.seen = Seen()
        self.open: dict[bytes, Item] = {}
        self.matches: list[Match] = []
        self.suggested: dict[bytes, list[Decided]] = {}
        self.breaks: list[tuple[bytes, int]] = []
        self.pairs_seen: dict[tuple[bytes, bytes], Evidence] = {}
        self.keep_evidence: frozenset[bytes] = frozenset()
        self._edges: dict[bytes, list[Edge]] = {}
        self._keys: dict[bytes, list[bytes]] = {}
        self._due: deque[tuple[int, bytes]] = deque()
        self._over: deque[tuple[int, bytes]] = deque()
        self._today = 0
        self.figures: Counter[str] = Counter()

    def arrive(self, item: Item) -> None:
        """Take an item in: match it at once where it is clear, else keep it open."""
        self.pass_time(item.booked_day)
        self.seen.see(item)
        item = without_constants(item, partial(self.seen.items_with, item.is_line))
        others = [self.open[key] for key in by_reference(item, self.index)] if item.references else []
        if (other := clean_match(item, others)) is not None:
            posting, line = (other, item) if item.is_line else (item, other)
            self._confirm(posting, line, "REFERENCE", 0)
            return
        self.open[item.key] = item
        self._edges[item.key] = []
        for edge in self._found(item):
            link(self._edges, edge)
        self._keys[item.key] = index_keys(item, self.seen)
        self.index.add(self._keys[item.key])
        self._due.append((item.booked_day + self.wait_days, item.key))
        self._decide(item.key, early=True)

    def pass_time(self, day: int) -> None:
        """Let time pass: decide what falls due before a day, in the order of its due times."""
        self._today = max(self._today, day)
        while self._due and self._due[0][0] < self._today:
            _, key = self._due.popleft()
            if key in self.open:
                self._decide(key, early=False)
            if key in self.open:
                self.breaks.append((key, self._today))
                self._over.append((self._today + self.wait_days, key))
        while self._over and self._over[0][0] < self._today:
            _, key = self._over.popleft()
            if key in self.open:
                self._forget(key)

    def end(self) -> None:
        """Let so much time pass that all is due."""
        self.pass_time(self._today + self.wait_days + 1)

    def _found(self, item: Item) -> list[Edge]:
        edges = []
        for key in candidates(item, self.index, self.seen):
            other = self.open[key]
            posting, line = (other, item) if item.is_line else (item, other)
            seen = evidence(posting, line, self.seen)
            if posting.key in self.keep_evidence or line.key in self.keep_evidence:
                self.pairs_seen[posting.key, line.key] = seen
            score = self.weights.score(seen)
            if score >= self.weights.suggest_from:
                edges.append(Edge(posting.key, line.key, score, confirmable(seen)))
        self.figures["scored"] += len(edges)
        return sorted(edges, key=order)[:EDGES_MAX]

    def _decide(self, key: bytes, early: bool) -> None:
        if early and (not self._edges[key] or self._edges[key][0].score < self.weights.confirm_from):
            return
        edges = around(key, self._edges.__getitem__, EARLY_ITEMS_MAX if early else self.items_max)
        self.figures["components"] += 1
        self.figures["component edges"] += len(edges)
        for decided in decide(edges, self.weights, early, key):
            edge = decided.edge
            if decided.outcome is Outcome.CONFIRMED:
                self._confirm(self.open[edge.posting], self.open[edge.line], "SCORED", edge.score)
            elif not early:
                self.suggested.setdefault(key, []).append(decided)

    def _confirm(self, posting: Item, line: Item, tier: str, score: int) -> None:
        self.matches.append(Match(posting.key, line.key, tier, score, self._today))
        self.seen.settled(line.booked_day - posting.day)
        for item in (posting, line):
            if item.key in self.open:
                self._forget(item.key)

    def _forget(self, key: bytes) -> None:
        for edge in list(self._edges[key]):
            unlink(self._edges, edge)
        del self._edges[key]
        self.index.remove(self._keys.pop(key))
        del self.open[key]
