"""Sets of line numbers as runs: `((1, 3), (5, 5))` are 1, 2, 3 and 5."""

from __future__ import annotations

from bisect import bisect_right

from pipeline.domain.reconciliation.chain.rows import RUNS_MAX

Runs = tuple[tuple[int, int], ...]


def has(runs: Runs, number: int) -> bool:
    """Whether a number is in the set."""
    if not runs or number > runs[-1][1]:
        return False
    place = bisect_right(runs, (number, number)) - 1
    return any(first <= number <= last for first, last in runs[max(place, 0) : place + 2])


def with_number(runs: Runs, number: int) -> Runs:
    """Return the set with one more number, which is not in it.

    A set of `RUNS_MAX` runs takes no number that would be a run of its own. A statement's lines are counted
    besides, so only whether such a number was taken is not known any more.
    """
    if runs and number == runs[-1][1] + 1:  # lines in their order
        return (*runs[:-1], (runs[-1][0], number))
    place = bisect_right(runs, (number, number))
    before, after = runs[:place], runs[place:]
    first = last = number
    if before and before[-1][1] == number - 1:
        first, before = before[-1][0], before[:-1]
    if after and after[0][0] == number + 1:
        last, after = after[0][1], after[1:]
    joined = (*before, (first, last), *after)
    return joined if len(joined) <= RUNS_MAX else runs
