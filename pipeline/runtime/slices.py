"""How many records a partition applies before the event loop has its turn.

Longer slices while they are quick, because the cost of a run of columns has a part that does not depend on
its length; the first size again after a slow one.
"""

from __future__ import annotations

SLICE_RECORDS = 2048
"""The first size, where a stream asks for no other (`StreamSpec.slice_records`)."""
SLICE_RECORDS_MAX = 8192
SLICE_S = 0.05
"""A slice should take about so long."""


class Slices:
    """The size of the next slice of one partition."""

    def __init__(self, first: int = SLICE_RECORDS, most: int = SLICE_RECORDS_MAX) -> None:
        self._first = first
        self._most = most
        self.size = first
        """Records."""

    def took(self, length: int, seconds: float) -> None:
        """Take note of how long a slice of so many records took."""
        if seconds > 2 * SLICE_S:
            self.size = self._first
        elif seconds < SLICE_S / 2 and length == self.size:
            self.size = min(2 * self.size, self._most)
