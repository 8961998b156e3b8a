"""The best one-to-one assignment of a component, and by how much it would be worse without one of its pairs.

The gain of a pair is a whole number, not below zero; the best assignment has the greatest total gain. It is
found by shortest augmenting paths: postings join in the order of their keys, and each makes the others give
way where the total gains. Prices prove that no total is greater: each posting and each line has one, not
below zero, no pair gains more than its two prices, a pair that is assigned gains just these, and what is left
alone has the price zero. Source: Kuhn and Munkres; Jonker and Volgenant, "A shortest augmenting path
algorithm for dense and sparse linear assignment problems" (1987).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

_Row = list[tuple[int, int]]


class Pair(NamedTuple):
    """A pair of the best assignment."""

    posting: bytes
    line: bytes
    margin: int
    """The best total less the best one without this pair; 0 if there is another best assignment."""


def best_pairs(gains: dict[tuple[bytes, bytes], int], about: bytes | None = None) -> list[Pair]:
    """Return the pairs of the best assignment, by the postings' keys, and their margins.

    `gains` has the gain of each possible pair of a posting and a line; none is negative. With `about`, only
    the pair of this posting or line is returned, if it has one: margins are most of the work.
    """
    problem = _Assignment(gains)
    problem.solve()
    return problem.pairs(about)


class _Assignment:
    """The sides by number, in the order of their keys; prices; who has whom."""

    def __init__(self, gains: dict[tuple[bytes, bytes], int]) -> None:
        self.postings = sorted({posting for posting, _ in gains})
        self.lines = sorted({line for _, line in gains})
        at = {key: number for number, key in enumerate(self.postings)}
        line_at = {key: number for number, key in enumerate(self.lines)}
        self.edges: list[_Row] = [[] for _ in self.postings]
        self.back: list[_Row] = [[] for _ in self.lines]
        for (posting, line), gain in sorted(gains.items()):
            self.edges[at[posting]].append((line_at[line], gain))
            self.back[line_at[line]].append((at[posting], gain))
        self.price = [0] * len(self.postings)
        self.line_price = [0] * len(self.lines)
        self.has: list[int | None] = [None] * len(self.postings)
        self.had_by: list[int | None] = [None] * len(self.lines)

    def solve(self) -> None:
        """Find the best assignment."""
        for posting in range(len(self.postings)):
            self.price[posting] = max(
                0, *(gain - self.line_price[line] for line, gain in self.edges[posting])
            )
            self._join(posting)

    def _join(self, start: int) -> None:
        """Give a posting a line, or leave one posting alone: the cheapest way, by Dijkstra's algorithm."""
        at = {start: 0}
        line_at: dict[int, int] = {}
        came: dict[int, int] = {}
        cheapest, ends_at, free = self.price[start], start, False
        queue: list[tuple[int, int]] = []
        posting: int | None = start
        while posting is not None:
            so_far = at[posting]
            if so_far + self.price[posting] < cheapest:
                cheapest, ends_at, free = so_far + self.price[posting], posting, False
            for line, gain in self.edges[posting]:
                cost = so_far + self.price[posting] + self.line_price[line] - gain
                if line != self.has[posting] and cost < line_at.get(line, cheapest):
                    line_at[line], came[line] = cost, posting
                    heappush(queue, (cost, line))
            posting = None
            while queue and posting is None:
                cost, line = heappop(queue)
                if cost > line_at[line] or cost >= cheapest:
                    continue
                owner = self.had_by[line]
                if owner is None:
                    cheapest, ends_at, free = cost, line, True
                elif owner not in at:
                    at[owner], posting = cost, owner
        for one, cost in at.items():
            self.price[one] -= max(0, cheapest - cost)
        for line, cost in line_at.items():
            if self.had_by[line] in at:
                self.line_price[line] += max(0, cheapest - cost)
        self._give_way(start, ends_at, free, came)

    def _give_way(self, start: int, ends_at: int, free: bool, came: dict[int, int]) -> None:
        line: int | None
        if free:
            line = ends_at
        else:
            line, self.has[ends_at] = self.has[ends_at], None
        while line is not None and (free or ends_at != start):
            taker = came[line]
            before = self.has[taker]
            self.has[taker], self.had_by[line] = line, taker
            if taker == start:
                return
            line = before

    def pairs(self, about: bytes | None) -> list[Pair]:
        """Return the pairs of the best assignment, or the one of an item, and their margins."""
        return [
            Pair(self.postings[posting], self.lines[line], self._margin(posting, line))
            for posting, line in enumerate(self.has)
            if line is not None and (about is None or about in (self.postings[posting], self.lines[line]))
        ]

    def _margin(self, posting: int, line: int) -> int:
        """Return what is lost without a pair: its two ends go their own ways, or around to each other."""
        around, alone = self._without(
            posting, line, self.edges, self.has, self.had_by, self.price, self.line_price
        )
        _, line_alone = self._without(
            line, posting, self.back, self.had_by, self.has, self.line_price, self.price
        )
        apart = alone + line_alone
        return apart if around is None else min(around, apart)

    @staticmethod
    def _without(
        start: int,
        lost: int,
        edges: list[_Row],
        has: list[int | None],
        had_by: list[int | None],
        price: list[int],
        other_price: list[int],
    ) -> tuple[int | None, int]:
        """Return what the cheapest ways of one end cost: around to the other one, if any; and without it."""
        at = {start: 0}
        around: int | None = None
        alone = price[start]
        queue = [(0, start)]
        while queue:
            so_far, one = heappop(queue)
            if so_far > at[one]:
                continue
            if so_far >= alone and (around is not None and so_far >= around):
                break
            alone = min(alone, so_far + price[one])
            for other, gain in edges[one]:
                if other == has[one]:
                    continue
                cost = so_far + price[one] + other_price[other] - gain
                if other == lost:
                    around = cost if around is None else min(around, cost)
                    continue
                owner = had_by[other]
                if owner is None:
                    alone = min(alone, cost)
                elif cost < at.get(owner, cost + 1):
                    at[owner] = cost
                    heappush(queue, (cost, owner))
        return around, alone
