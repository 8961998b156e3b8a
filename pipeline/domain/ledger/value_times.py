"""When an entry counts in the books; its home branch decides it for all of its legs."""

from __future__ import annotations

from typing import NamedTuple


class ValueTime(NamedTuple):
    """When an entry counts, microseconds UTC."""

    effective_at: int | None = None
    """None: when its event happened."""
    asked_at: int | None = None
    """The time that was asked for, where another one counts."""

    def counts_at(self, occurred_at: int) -> int:
        """Return the time itself; `occurred_at`: when its event happened."""
        return occurred_at if self.effective_at is None else self.effective_at
