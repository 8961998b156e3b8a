"""States that must come out beside those that did, of a compacted topic or a table.

    expected states of each key, in order | records -> a state that it never had, or an old one at the end

States may be left out, but not the last one of a key, nor their order. It goes on where it has stopped.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Container, Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

from pipeline.verify.findings import Findings, Problem, at
from pipeline.verify.lanes import PROBLEMS_MAX, difference
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import Expected

_GONE = -1
"""Stands for a row that is deleted; no hash is -1."""


class States:
    """The states that one key goes through, each as a number that stands for it."""

    __slots__ = ("hashes", "last", "reached", "shown", "sources")

    def __init__(self) -> None:
        self.hashes = array("q")
        self.sources = array("q")
        """The offsets that have caused them."""
        self.reached = 0
        """How many of them are over."""
        self.shown: Record | None = None
        """The record of the last one."""
        self.last: Expected | None = None


class Versions:
    """A compacted topic beside the states that its keys go through; about 16 bytes a state.

    Compaction and group commit may leave states out, but not the last one of a key, and not their order. Of
    a row that came and went there may be nothing at all.
    """

    def __init__(
        self,
        findings: Findings,
        check: str,
        actual: Iterator[Record],
        place: tuple[str, int],
        older: bool = False,
    ) -> None:
        """`actual` may end and go on later."""
        self._findings = findings
        self._check = check
        self._source = actual
        self._place = place
        self._older = older
        self._states: dict[bytes, States] = {}
        self._values: itemgetter[Any] | None = None
        """Takes the values of a state, in the order of their names."""
        self._ahead: list[Record] = []
        """States that records may have caused which are not judged yet."""
        self._problems = 0

    def expect(self, wanted: Expected) -> None:
        """Expect a state of its key after those before."""
        states = self._states.get(wanted.key)
        if states is None:
            states = self._states[wanted.key] = States()
        states.hashes.append(self._hash_of(wanted))
        states.sources.append(wanted.source)
        states.last = wanted

    def finish(self, least: int | None = None, causes: Container[str | None] = ()) -> None:
        """Compare what has come. `least`: states caused by later offsets may not be there yet; `causes`: the
        records that wait, which may have caused states that nobody expects yet."""
        shown = 0
        come, self._ahead = chain(self._ahead, self._source), []
        ahead = set()
        for record in come:
            if record.key in ahead or not self._reach(record):
                if causes:
                    ahead.add(record.key)
                    self._ahead.append(record)
                    continue
                self._never(record)
            shown += 1
        self._findings.count(self._check, shown)
        for key, states in self._states.items():
            if key in ahead:
                continue
            needed = len(states.sources)
            while least is not None and needed and states.sources[needed - 1] >= least:
                needed -= 1
            if needed <= states.reached:
                continue
            allowed = states.hashes[needed - 1 :]
            gone = _GONE in allowed  # of a row that came and went there may be nothing
            if states.shown is not None and states.hashes[states.reached - 1] in allowed:
                continue  # the same state once more, of which one may stand for both
            if states.shown is None and not gone:
                text = f"nothing of {key!r}, caused by offset {states.sources[0]}"
                self._say(Problem(self._check, *self._place, -1, text))
            elif states.shown is not None:
                self._say(at(self._check, states.shown, f"the last state of {key!r} is an old one"))

    def _reach(self, record: Record) -> bool:
        """Go on to a state of its key; return whether there is such a one after those before."""
        states = self._states.get(record.key or b"")
        if states is None:
            return False
        now, known = self._hash_of(record), states.hashes
        for place in range(states.reached, len(known)):
            if known[place] == now:
                states.reached, states.shown = place + 1, record
                return True
        return False

    def _never(self, record: Record) -> None:
        """Say that a state is none that its key has after those before."""
        states = self._states.get(record.key or b"")
        if states is None:
            return self._say(at(self._check, record, f"{record.key!r} has no state that anything has caused"))
        wanted, known = states.last, states.hashes
        assert wanted is not None
        if self._older and record.fields.keys() < wanted.fields.keys():  # its version knows less of a state
            states.shown = record
            if difference(record, wanted, older=True) is None:
                states.reached = len(known)
            return
        text = difference(record, wanted) or "it is its last state"
        text = f"a state of {record.key!r} that it never had, twice, or out of order ({text})"
        self._say(at(self._check, record, text))

    def _hash_of(self, said: Record | Expected) -> int:
        """Return a number that stands for a state, within this process: of a row its bytes, else its fields.

        Not `hash` of the values themselves: -1 and -2 have the same.
        """
        if not said.fields:
            return _GONE if said.value is None else hash(said.value)
        if self._values is None:
            self._values = itemgetter(*sorted(said.fields))
        try:
            return hash(marshal.dumps(self._values(said.fields), 0))
        except KeyError:
            return _GONE

    def _say(self, problem: Problem) -> None:
        self._problems += 1
        if self._problems <= PROBLEMS_MAX:
            self._findings.wrong(problem)
