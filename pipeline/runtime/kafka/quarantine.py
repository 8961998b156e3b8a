"""What people have decided not to read: ranges of offsets whose records become dead letters unseen.

ledgerflow quarantine TOPIC/PARTITION/OFFSET[-END] -> operator-actions -> assignment -> DeadBatch, unread
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.domain.kernel import events as ev

ACTION = "QUARANTINED"
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


def quarantined(actions: Iterable[ev.OperatorActed]) -> Quarantined:
    """Return what actions have quarantined."""
    found: dict[tuple[str, int], list[Quarantine]] = {}
    for one in actions:
        if one.action == ACTION and 0 <= one.first_offset < one.end_offset:
            about = Quarantine(one.first_offset, one.end_offset, f"{one.operator}: {one.reason}")
            found.setdefault((one.topic, one.partition), []).append(about)
    return {place: sorted(ranges) for place, ranges in found.items()}
