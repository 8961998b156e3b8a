"""What people have decided not to read: ranges of offsets whose records become dead letters unseen.

ledgerflow quarantine TOPIC/PARTITION/OFFSET[-END] -> operator-actions -> assignment -> DeadBatch, unread
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

CODE = "quarantined"


class Quarantine(NamedTuple):
    """A range of offsets of one partition."""

    first: int
    end: int
    """Behind the last one."""
    detail: str
    """Who decided it, and why."""

    def covers(self, first: int, last: int) -> bool:
        """Return whether all offsets from `first` to `last` are in it."""
        return self.first <= first and last < self.end

    def touches(self, first: int, last: int) -> bool:
        """Return whether an offset from `first` to `last` is in it."""
        return self.first <= last and first < self.end


Quarantined = Mapping[tuple[str, int], Sequence[Quarantine]]
"""By topic and partition, in the order of their offsets."""
