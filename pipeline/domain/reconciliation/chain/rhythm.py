"""How often an account's statements come, and when it is said that they have stopped.

    usual      the second longest of the last 16 intervals between days with statements, so that one outage
               does not count; of fewer than 8 intervals the longest
    stopped    the usual time since the last day, and half as much again, at least two days

So daily statements have stopped on the third day without one, those of working days on the fifth, monthly
ones after six weeks and a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, NO_END

INTERVALS_MAX = 16
INTERVALS_MIN = 4
"""Of fewer intervals no rhythm is known."""


def with_day(days: Sequence[int], day: int) -> tuple[int, ...]:
    """Return the last days on which a statement was closed, one more considered."""
    return tuple(sorted({*days, day})[-INTERVALS_MAX - 1 :])


def stale_at(days: Sequence[int]) -> int | None:
    """Return when statements have stopped if no more come, event time, microseconds UTC.

    None: no rhythm is known yet. `days`: `with_day` of all.
    """
    intervals = sorted(later - day for day, later in pairwise(days))
    if len(intervals) < INTERVALS_MIN:
        return None
    usual = intervals[-2 if len(intervals) >= 2 * INTERVALS_MIN else -1]
    return min((days[-1] + usual + max(2, usual // 2)) * MICROSECONDS_PER_DAY, NO_END)
