"""Which sets of amounts have a given sum: complete for what it searches, in one order, and bounded.

Sets are bit masks over the positions of the amounts. A set is joined from two halves whose sums were written
down beforehand, so that 20 amounts take 2,048 sums and not a million (Horowitz and Sahni, 1974).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import combinations

from pipeline.domain.reconciliation.groups.bounds import FEW_MAX, SETS_MAX, SMALL_MAX, VISITS_MAX

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
        self._halves: tuple[_Half, _Half] | None = None
        self._keys: list[int] = []

    def within(self, low: int, high: int, budget: Budget) -> tuple[list[int], bool]:
        """Return the sets whose sums are in a range, ends included, and whether these are all it looks for.

        The empty set is none of them.
        """
        if not self._amounts or not self._can_reach(low, high):
            return [], True
        if len(self._amounts) <= SMALL_MAX:
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
        small = len(self._amounts) <= SMALL_MAX
        if self._halves is None and not self._write_down(budget):
            return [], False
        assert self._halves is not None
        first, second = self._halves
        if not budget.take(len(first)):
            return [], False
        found: list[int] = []
        keys = self._keys
        for amount, mask in first:
            at = bisect_left(keys, low - amount)
            end = bisect_right(keys, high - amount, at)
            if not budget.take(end - at):
                return found, False
            for _, other in second[at:end]:
                if not small and not _in_order(mask, other):
                    continue
                whole = mask | other
                if inverted:
                    whole ^= self._all
                if not whole:
                    continue
                if len(found) == SETS_MAX:
                    return found, False
                found.append(whole)
        return found, True

    def _write_down(self, budget: Budget) -> bool:
        """Write the sums of the halves down; False if they are more than the budget has."""
        amounts = self._amounts
        if len(amounts) <= SMALL_MAX:
            middle = len(amounts) // 2
            first, second = _all_sums(amounts[:middle], 0), _all_sums(amounts[middle:], middle)
        else:
            first = second = _few_sums(amounts)
        if not budget.take(len(second)):
            return False
        ordered = sorted(second)
        self._halves = first, ordered
        self._keys = [amount for amount, _ in ordered]
        return True


def _in_order(mask: int, other: int) -> bool:
    """Whether a set of few is halved as it is written: its first two amounts, and the rest."""
    return not other or (mask & (mask - 1) != 0 and other & -other > mask)


def _all_sums(amounts: Sequence[int], position: int) -> _Half:
    sums: _Half = [(0, 0)]
    for place, amount in enumerate(amounts, position):
        bit = 1 << place
        sums += [(before + amount, mask | bit) for before, mask in sums]
    return sums


def _few_sums(amounts: Sequence[int]) -> _Half:
    """Return the sums of at most half as many amounts as a set of few has."""
    sums: _Half = [(0, 0)]
    for size in range(1, FEW_MAX // 2 + 1):
        for chosen in combinations(range(len(amounts)), size):
            sums.append((sum(amounts[one] for one in chosen), sum(1 << one for one in chosen)))
    return sums
