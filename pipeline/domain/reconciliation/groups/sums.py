"""Which sets of amounts have a given sum: complete for what it searches, in one order, and bounded.

Sets are bit masks over the positions of the amounts. A set is joined from two halves whose sums were written
down beforehand, so that 20 amounts take 2,048 sums and not a million (Horowitz and Sahni, 1974).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations

from pipeline.domain.reconciliation.groups.bounds import SETS_MAX, SMALL_MAX, VISITS_MAX

_Half = list[tuple[int, int]]
"""Sums and the masks of their sets."""


class Budget:
    """How many sums a search may still look at."""

    def __init__(self, visits: int = VISITS_MAX) -> None:
        self.visits = visits

    def take(self, visits: int) -> bool:
        """Use some up; False, and nothing is left, if there were not as many."""
        self.visits -= visits
        if self.visits >= 0:
            return True
        self.visits = 0
        return False


class Sums:
    """The sums of a block of amounts, minor units.

    A small block is searched over all its sets; of a larger one those of few amounts, or of all but a few.
    """

    def __init__(self, amounts: Sequence[int]) -> None:
        self._amounts = tuple(amounts)
        self._all = (1 << len(amounts)) - 1
        self._total = sum(amounts)
        self._small = len(amounts) <= SMALL_MAX
        self._halves: tuple[_Half, _Half] | None = None
        self._by_sum: defaultdict[int, list[int]] = defaultdict(list)
        """The sets of the second half under each sum ..."""
        self._in_order: list[int] = []
        """... and the sums in order, for ranges."""

    def within(self, low: int, high: int, budget: Budget) -> tuple[list[int], bool]:
        """Return the sets whose sums are in a range, ends included, and whether these are all it looks for.

        The empty set is none of them.
        """
        if not self._amounts or not self._can_reach(low, high):
            return [], True
        if self._small:
            return self._joined(low, high, budget)
        few, few_whole = self._joined(low, high, budget)
        rest, rest_whole = self._joined(self._total - high, self._total - low, budget, inverted=True)
        return (few + rest)[:SETS_MAX], few_whole and rest_whole and len(few) + len(rest) <= SETS_MAX

    def _can_reach(self, low: int, high: int) -> bool:
        """Whether the range is between the lowest and the highest sum of all sets."""
        most = sum(amount for amount in self._amounts if amount > 0)
        return low <= most and high >= self._total - most

    def _joined(
        self, low: int, high: int, budget: Budget, *, inverted: bool = False
    ) -> tuple[list[int], bool]:
        if self._halves is None and not self._write_down(budget):
            return [], False
        assert self._halves is not None
        first, _ = self._halves
        if not budget.take(len(first)):
            return [], False
        found: list[int] = []
        for amount, mask in first:
            for others in self._seconds(low - amount, high - amount):
                if not budget.take(len(others)):
                    return found, False
                for other in others:
                    whole = (mask | other) ^ self._all if inverted else mask | other
                    if not whole or not (self._small or _are_halves(mask, other)):
                        continue
                    if len(found) == SETS_MAX:
                        return found, False
                    found.append(whole)
        return found, True

    def _seconds(self, low: int, high: int) -> Iterable[list[int]]:
        """Return the sets of the second half whose sums are in a range, those of one sum together."""
        if low == high:
            others = self._by_sum.get(low)
            return () if others is None else (others,)
        sums = self._in_order
        return [self._by_sum[one] for one in sums[bisect_left(sums, low) : bisect_right(sums, high)]]

    def _write_down(self, budget: Budget) -> bool:
        """Write the sums of the halves down; False if they are more than the budget has."""
        amounts = self._amounts
        if self._small:
            middle = len(amounts) // 2
            first, second = _all_sums(amounts[:middle], 0), _all_sums(amounts[middle:], middle)
        else:
            first = second = _few_sums(amounts)
        if not budget.take(len(second)):
            return False
        self._halves = first, second
        for amount, mask in second:
            self._by_sum[amount].append(mask)
        self._in_order = sorted(self._by_sum)
        return True


def _are_halves(mask: int, other: int) -> bool:
    """Whether a set of few is halved as it is written: its first two amounts, and the rest."""
    return not other or (mask & (mask - 1) != 0 and other & -other > mask)


def _all_sums(amounts: Sequence[int], position: int) -> _Half:
    sums: _Half = [(0, 0)]
    for place, amount in enumerate(amounts, position):
        bit = 1 << place
        sums += [(before + amount, mask | bit) for before, mask in sums]
    return sums


def _few_sums(amounts: Sequence[int]) -> _Half:
    """Return the sums of at most two amounts: half of what a set of few has."""
    singles = [(amount, 1 << place) for place, amount in enumerate(amounts)]
    sums: _Half = [(0, 0), *singles]
    for (one, first), (two, second) in combinations(singles, 2):
        sums.append((one + two, first | second))
    return sums
