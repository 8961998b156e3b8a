"""When an entry counts in the books; its home branch decides it for all of its legs."""

from __future__ import annotations

from typing import Any, NamedTuple


class ValueTime(NamedTuple):
    """When an entry counts, microseconds UTC."""

    effective_at: int | None = None
    """None: when its event happened."""
    asked_at: int | None = None
    """The time that was asked for, where another one counts."""

    def counts_at(self, occurred_at: int) -> int:
        """Return the time itself; `occurred_at`: when its event happened."""
        return occurred_at if self.effective_at is None else self.effective_at

    def latest(self, known: int | None, occurred_at: int) -> int:
        """Return the later of this time and a known one, None where none is known."""
        counts_at = self.counts_at(occurred_at)
        return counts_at if known is None else max(known, counts_at)


def value_time(
    asked_at: int | None, occurred_at: int, closed_through: int | None, not_before: int | None
) -> ValueTime:
    """Return when an entry counts that asks for a time (None: when its event happened).

    `closed_through`: in a period that is closed so far, from the first moment after it. `not_before`: of a
    reversal, when its original counts.
    """
    opens = None if closed_through is None else closed_through + 1
    earliest = max((time for time in (opens, not_before) if time is not None), default=None)
    if earliest is None or ValueTime(asked_at).counts_at(occurred_at) >= earliest:
        return ValueTime(asked_at)
    return ValueTime(earliest, asked_at)


def told_time(event: Any, closed_through: int | None) -> ValueTime:
    """Return when the legs of an event count, as the home of their entry has told its other branches.

    In version 1 of the event the home has told nothing: what is asked for is then the time itself
    (`schemas/undecided.py`), and each branch decides. `closed_through`: as in `value_time`, of this branch.
    """
    told = ValueTime(event.effective_at, event.asked_at)
    if told.asked_at == told.counts_at(event.occurred_at):
        return value_time(told.effective_at, event.occurred_at, closed_through, None)
    return told
