"""An item meets what it may belong to: its candidates are read once, and the evidence of each pair is kept.

    words are counted -> candidates from the index -> evidence -> at most 8 edges, at both ends or at none

Evidence never changes after that; scores are made of it with the weights in force when something is decided.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.domain.reconciliation.assigning.blocking import WORDS_INDEXED, candidates, rarest
from pipeline.domain.reconciliation.assigning.edges import Edge, confirmable, link, order
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import is_free
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.rejections import is_rejected
from pipeline.domain.reconciliation.desk.rows import AGAIN, MET, Entry
from pipeline.domain.reconciliation.scoring.evidence import evidence
from pipeline.domain.reconciliation.scoring.features import FEATURES, Evidence
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.weights import Weights


def meet(account: AccountDesk, scope: Scope, entry: Entry, weights: Weights, due_at: int) -> Entry:
    """Let an item meet its candidates, and return it, due at another time."""
    entry = account.worded(entry.key)
    knowledge = account.knowledge
    if entry.stage != AGAIN:
        knowledge.meet(entry.words)
    item = as_item(entry)
    known = {other for other, _ in account.edges(entry.key)}
    pairs: dict[tuple[bytes, bytes], Evidence] = {}
    for key in candidates(item, account.index, knowledge):
        other = account.worded(key)
        if key not in known and is_free(scope, other) and not is_rejected(entry, (entry.key, key)):
            posting, line = _ends(item, as_item(other))
            pairs[posting.key, line.key] = evidence(posting, line, knowledge)
    _link_all(account, entry.key, pairs, weights)
    met = msgspec.structs.replace(
        entry,
        stage=MET,
        due_at=due_at,
        information=sum(map(knowledge.rarity, entry.words)),
        sought=tuple(rarest(entry.words, knowledge, WORDS_INDEXED)),
    )
    return account.write(met)


def edges_of(account: AccountDesk, scope: Scope, weights: Weights, key: bytes) -> list[Edge]:
    """Return the edges of an item whose other ends are free, with their scores by the weights in force."""
    edges = []
    for other, packed in account.edges(key):
        entry = account.item(other)
        if entry is not None and is_free(scope, entry):
            edges.append(_edge(key, other, evidence_of(packed), weights))
    return edges


def evidence_between(account: AccountDesk, one: bytes, other: bytes) -> Evidence:
    """Return the evidence of an edge."""
    return next(evidence_of(packed) for end, packed in account.edges(one) if end == other)


def evidence_of(packed: bytes) -> Evidence:
    """Return the evidence that a row has; a feature that is newer than the row is in its first bucket."""
    return (*packed, *[0] * (len(FEATURES) - len(packed)))


def _edge(key: bytes, other: bytes, seen: Evidence, weights: Weights) -> Edge:
    posting, line = (other, key) if key[:1] == b"l" else (key, other)
    return Edge(posting, line, weights.score(seen), confirmable(seen))


def _ends(item: Item, other: Item) -> tuple[Item, Item]:
    return (other, item) if item.is_line else (item, other)


class _Lists(dict[bytes, list[Edge]]):
    """The edges of items, read when they are asked for; the evidence of all of them."""

    def __init__(self, account: AccountDesk, weights: Weights) -> None:
        super().__init__()
        self._account, self._weights = account, weights
        self.packed: dict[tuple[bytes, bytes], bytes] = {}

    def __missing__(self, key: bytes) -> list[Edge]:
        edges = []
        for other, packed in self._account.edges(key):
            edge = _edge(key, other, evidence_of(packed), self._weights)
            self.packed[edge.posting, edge.line] = packed
            edges.append(edge)
        self[key] = sorted(edges, key=order)
        return self[key]

    def get(self, key: bytes, default: Any = None) -> Any:
        """Return the edges of an item, read if need be."""
        return self[key]

    def write(self) -> None:
        """Write the lists that have changed."""
        for key in sorted(self):
            others = tuple((edge.other(key), self.packed[edge.posting, edge.line]) for edge in self[key])
            if {*others} != {*self._account.edges(key)}:
                self._account.put_edges(key, others)


def _link_all(
    account: AccountDesk, key: bytes, pairs: dict[tuple[bytes, bytes], Evidence], weights: Weights
) -> None:
    lists = _Lists(account, weights)
    edges = []
    for (posting, line), seen in pairs.items():
        edge = Edge(posting, line, weights.score(seen), confirmable(seen))
        if edge.score >= weights.suggest_from:
            lists.packed[posting, line] = bytes(seen)
            edges.append(edge)
    for edge in sorted(edges, key=order):
        link(lists, edge)
    lists.write()
