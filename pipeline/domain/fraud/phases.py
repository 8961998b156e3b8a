"""The order of work in a run of events of several kinds, so that many of one kind are done at once.

    RECEIVE   receipts and cards: they change the states of accounts as they are paid
    PAY       payments: they change their debtors, and read what the debtor received and the payee's card
    CHANGE    reviews and labels, one by one

Work goes in phases, each of one kind, in the order RECEIVE, PAY, CHANGE, RECEIVE, ... An event comes into the
first phase of its kind that is not before that of an earlier event which changes what it reads or changes, or
reads what it changes. So every state meets its events in the order of the log, and what has nothing in common
is done together, however it is mixed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

RECEIVE, PAY, CHANGE = range(3)
KINDS = 3


class Work(Protocol):
    """What is to be done for an event."""

    @property
    def place(self) -> int:
        """Return the place of the event in the run."""


class Phases:
    """Work of a run, by phase.

    Python's garbage collector should not follow it (`gc=False`), as what else a run makes for each event:
    thousands of such objects make it slow, and none of them is part of a cycle.
    """

    def __init__(self) -> None:
        self._work = defaultdict[int, list[Any]](list)
        self._changed: dict[bytes, int] = {}
        self._read: dict[bytes, int] = {}
        """By key of a state: the phase of the last event that changes or reads it."""

    def add(self, kind: int, work: Work, changes: Sequence[bytes], reads: Sequence[bytes] = ()) -> None:
        """Add work, in the order of the log."""
        changed, read = self._changed, self._read
        phase = kind
        for key in changes:
            before = changed.get(key, 0)
            phase = before if before > phase else phase
            before = read.get(key, 0)
            phase = before if before > phase else phase
        for key in reads:
            before = changed.get(key, 0)
            phase = before if before > phase else phase
        phase += (kind - phase) % KINDS
        for key in changes:
            changed[key] = phase
        for key in reads:
            if phase > read.get(key, 0):
                read[key] = phase
        self._work[phase].append(work)

    def take(self) -> list[tuple[int, list[Any]]]:
        """Return the phases in order, the kind of each first, and begin anew."""
        found = [(phase % KINDS, self._work[phase]) for phase in sorted(self._work)]
        self._work, self._changed, self._read = defaultdict(list), {}, {}
        return found
