"""Items that come and move on days that have a row: counted in memory, and worked into the row once.

add -> sums by day and standing -> fold: the day as if each had been counted by itself
"""

from __future__ import annotations

from pipeline.domain.reconciliation.breaks import summary
from pipeline.domain.reconciliation.breaks.rows import Day

_Sums = dict[tuple[bool, str], list[int]]
"""By side (whether of lines) and standing: how many more, and how much more, minor units."""


class DayCounts:
    """What is counted and not in the rows of its days yet."""

    def __init__(self) -> None:
        self._days: dict[bytes, _Sums] = {}

    def add(self, key: bytes, is_line: bool, standing: str, count: int, amount_minor: int) -> None:
        """Count `count` items more of a day, by its row key, under a standing; fewer if it is negative."""
        sums = self._days.get(key)
        if sums is None:
            sums = self._days[key] = {}
        place = is_line, standing
        known = sums.get(place)
        size = abs(amount_minor) * count
        if known is None:
            sums[place] = [count, size]
        else:
            known[0] += count
            known[1] += size

    def days(self) -> list[bytes]:
        """Return the row keys of days that something is counted of."""
        return list(self._days)

    def fold(self, key: bytes, day: Day) -> Day:
        """Return a day with all that is counted of it, which is forgotten here. Raises ValueError."""
        sums = self._days.pop(key, {})
        for is_line in (True, False):
            changes = {
                standing: (count, minor)
                for (side, standing), (count, minor) in sums.items()
                if side == is_line and (count or minor)
            }
            if changes:
                day = summary.counted(day, is_line, changes)
        return day

    def __contains__(self, key: bytes) -> bool:
        return key in self._days
