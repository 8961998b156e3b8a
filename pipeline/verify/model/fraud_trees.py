"""A model of the fraud stream, read from its bytes and walked one question at a time.

    bytes -> read -> Trees -> margin, score in basis points, what each feature added

From the contract: the table of bytes in the models' README. What breaks a rule of it is a `FalseModel`.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

MAGIC = b"LFMODEL\0"
BYTES_MAX = 4 * 1024 * 1024
BOOSTED, ISOLATION = 1, 2
FEATURES_MAX, TREES_MAX, NODES_MAX, KNOTS_MAX, FIGURES_MAX = 256, 512, 65_536, 512, 64
EDGES_MAX, DECIMALS_MAX, NAME_MAX, DEPTH_MAX = 32, 18, 64, 8
SHARES = 1_000_000
MARGIN_MAX, VALUE_MAX, UNITS_MAX = 2**41, 2**31 - 1, 10**9
LEAF, LOWEST = 65_535, -(2**63)
NEVER_BP, SCORE_MAX_BP = 10_001, 10_000
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
UNIT = re.compile(r"[A-Za-z%][A-Za-z0-9_/%]{0,63}", re.ASCII)


class FalseModel(Exception):
    """Bytes that are no model; the argument says why."""


class Bins(NamedTuple):
    """How values were spread when the model was made."""

    edges: tuple[int, ...]
    shares_e6: tuple[int, ...]
    """Below the first edge, between them, from the last one on, and of those without a value."""


class Asked(NamedTuple):
    """A feature that a model asks for."""

    name: str
    unit: str
    decimals: int
    bins: Bins


@dataclass
class Node:
    """A question, or a leaf: it has no feature, and nothing below."""

    feature: int | None
    missing_right: bool
    cut: int
    value: int
    """Of a leaf; of a question the mean of the leaves below."""
    left: int = 0
    """Where the node on its left stands in the tree; the right one is next to it."""


@dataclass
class Trees:
    """A model."""

    sha256: str
    kind: int
    features: list[Asked]
    trees: list[list[Node]]
    base: int
    knots: list[tuple[int, int]]
    """Margin and score."""
    review_from_bp: int
    decline_from_bp: int
    score_bins: Bins

    def margin(self, values: list[int | None]) -> int:
        """Return the sum of one leaf a tree."""
        return self.base + sum(way[-1].value for way in self._ways(values))

    def score(self, values: list[int | None]) -> int:
        """Return the score in basis points, 0 to 10,000."""
        margin, knots = self.margin(values), self.knots
        if margin <= knots[0][0]:
            return knots[0][1]
        for (low, below), (high, above) in pairwise(knots):
            if margin <= high:
                return below + (margin - low) * (above - below) // (high - low)
        return knots[-1][1]

    def added(self, values: list[int | None]) -> list[int]:
        """Return what each feature adds to the margin: what each step down changes of the mean."""
        found = [0] * len(self.features)
        for way in self._ways(values):
            for before, after in pairwise(way):
                assert before.feature is not None
                found[before.feature] += after.value - before.value
        return found

    def _ways(self, values: list[int | None]) -> list[list[Node]]:
        return [way_down(tree, values) for tree in self.trees]


def way_down(tree: list[Node], values: list[int | None]) -> list[Node]:
    """Return the nodes of a tree that a payment comes by, from the root to its leaf."""
    way = [tree[0]]
    while way[-1].feature is not None:
        node = way[-1]
        value = values[way[-1].feature]
        right = node.missing_right if value is None else value >= node.cut
        way.append(tree[node.left + right])
    return way


class Reading:
    """Takes one part after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str, count: int = 1) -> tuple[Any, ...]:
        """Return numbers of a form."""
        layout = struct.Struct("<" + form * count)
        if self.at + layout.size > len(self.data):
            raise FalseModel("too short")
        self.at += layout.size
        return layout.unpack_from(self.data, self.at - layout.size)

    def text(self) -> str:
        """Return a text: its length, then so much ASCII."""
        (length,) = self.take("B")
        raw = bytes(self.take("B", length))
        if not raw.isascii() or length > NAME_MAX:
            raise FalseModel("a text")
        return raw.decode()

    def bins(self) -> Bins:
        """Return edges and shares."""
        (edges,) = self.take("B")
        wanted(edges <= EDGES_MAX, "edges")
        values = self.take("q", edges)
        wanted(all(low < high for low, high in pairwise(values)) and LOWEST not in values, "edges")
        shares = self.take("I", edges + 2)
        wanted(sum(shares) == SHARES, "shares")
        return Bins(values, shares)


def wanted(holds: bool, what: str) -> None:
    """Raise `FalseModel` where something does not hold."""
    if not holds:
        raise FalseModel(what)


def read(data: bytes) -> Trees:
    """Return the model of some bytes. Raises FalseModel."""
    body, digest = data[:-32], data[-32:]
    wanted(len(data) <= BYTES_MAX and hashlib.sha256(body).digest() == digest, "digest")
    reading = Reading(body)
    wanted(bytes(reading.take("B", 8)) == MAGIC and reading.take("H") == (1,), "version")
    (kind,) = reading.take("B")
    wanted(kind in (BOOSTED, ISOLATION), "kind")
    features, trees, nodes, knots, figures = (*reading.take("HHIH"), *reading.take("B"))
    wanted(1 <= features <= FEATURES_MAX and 1 <= trees <= TREES_MAX, "counts")
    wanted(trees <= nodes <= NODES_MAX and 1 <= knots <= KNOTS_MAX and figures <= FIGURES_MAX, "counts")
    base, units = reading.take("q") + reading.take("I")
    wanted(abs(base) <= MARGIN_MAX and 1 <= units <= UNITS_MAX, "base")
    review, decline = reading.take("HH")
    wanted(1 <= review <= decline <= NEVER_BP, "thresholds")
    window = reading.take("q", 6)
    wanted(window[0] <= window[1] and window[2] <= window[3] and 0 <= window[5] <= window[4], "window")
    asked = [feature(reading) for _ in range(features)]
    wanted(len({one.name for one in asked}) == features, "names")
    score_bins = reading.bins()
    named = [(reading.text(), reading.take("q")) for _ in range(figures)]
    wanted(all(low < high for (low, _), (high, _) in pairwise(named)), "figures")
    wanted(all(NAME.fullmatch(name) for name, _ in named), "figures")
    scale = calibration(reading, knots)
    grown = grow(reading, trees, nodes, features)
    wanted(reading.at == len(body), "length")
    return Trees(digest.hex(), kind, asked, grown, base, scale, review, decline, score_bins)


def feature(reading: Reading) -> Asked:
    """Return a feature: its name, unit, decimals, and how it was spread."""
    name, unit = reading.text(), reading.text()
    (decimals,) = reading.take("B")
    wanted(bool(NAME.fullmatch(name) and UNIT.fullmatch(unit)) and decimals <= DECIMALS_MAX, "feature")
    return Asked(name, unit, decimals, reading.bins())


def calibration(reading: Reading, knots: int) -> list[tuple[int, int]]:
    """Return the knots: both margins and scores rise."""
    margins, scores = reading.take("q", knots), reading.take("H", knots)
    wanted(all(low < high for low, high in pairwise(margins)), "margins")
    wanted(all(low <= high for low, high in pairwise(scores)) and scores[-1] <= SCORE_MAX_BP, "scores")
    wanted(max(abs(margins[0]), abs(margins[-1])) <= MARGIN_MAX, "margins")
    return list(zip(margins, scores, strict=True))


def grow(reading: Reading, trees: int, nodes: int, features: int) -> list[list[Node]]:
    """Return the trees: the k-th question of each has its nodes 1 + 2k and 2 + 2k below it."""
    sizes = reading.take("I", trees)
    wanted(sum(sizes) == nodes and min(sizes) >= 1, "sizes")
    columns = [reading.take(form, nodes) for form in "HBqi"]
    grown, start = [], 0
    for size in sizes:
        rows = zip(*(one[start : start + size] for one in columns), strict=True)
        tree = [node(asks, right, cut, value, features) for asks, right, cut, value in rows]
        start += size
        depths, questions = [0] * size, 0
        for place, one in enumerate(tree):
            if one.feature is None:
                continue
            one.left = 1 + 2 * questions
            questions += 1
            wanted(place < one.left and one.left + 1 < size, "a tree")
            depths[one.left] = depths[one.left + 1] = depths[place] + 1
        wanted(size == 1 + 2 * questions and max(depths) <= DEPTH_MAX, "a tree")
        grown.append(tree)
    return grown


def node(asks: int, missing_right: int, cut: int, value: int, features: int) -> Node:
    """Return a node."""
    wanted(abs(value) <= VALUE_MAX and missing_right in (0, 1), "a node")
    if asks == LEAF:
        wanted(not cut and not missing_right, "a leaf")
        return Node(None, False, 0, value)
    wanted(asks < features and cut != LOWEST, "a question")
    return Node(asks, bool(missing_right), cut, value)
