"""What has ended in a run: keys of payments and legs for their queues, and the rows that go for them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.batch.decide import NO_STATE, STATES, DecidedRun
from pipeline.domain.ledger.batch.facts import LEG_REQUESTED, Facts
from pipeline.domain.ledger.retention import Retention
from pipeline.domain.ledger.rows import ENDED, ENDED_STATES

ENDS = np.isin(STATES, list(ENDED_STATES))
"""Whether a payment has ended, by the index of its state."""


def note_endings(facts: Facts, decision: DecidedRun, retention: Retention, rows: PrefetchingRows) -> None:
    """Add what has ended in a run to its queues, and delete what is over, as the row path does."""
    at, sweep = np.flatnonzero(ENDS[decision.state]), _Sweep(facts, decision, retention, rows)
    if len(at):
        sweep.add(decision.watermarks[at], at)
    if not facts.told:
        return
    legs = np.flatnonzero(facts.run.kinds[: decision.length] == LEG_REQUESTED)
    occurred = facts.columns["occurred_at"].to_numpy(zero_copy_only=False)
    seen = np.minimum(occurred, facts.run.recorded_at)
    for home in facts.told:
        here = legs[facts.home[legs] == home]
        sweep.add(seen[here], here, str(home))


class _Sweep:
    """The rows of a run that go: as they were when their bucket went, not as the run leaves them."""

    def __init__(
        self, facts: Facts, decision: DecidedRun, retention: Retention, rows: PrefetchingRows
    ) -> None:
        self._facts, self._decision = facts, decision
        self._retention, self._rows = retention, rows

    @cached_property
    def _written(self) -> dict[bytes, int]:
        """By key of a payment or a leg that the run has written: the position of the command."""
        kinds, states = self._facts.run.kinds[: self._decision.length], self._decision.state
        at = np.flatnonzero((states != NO_STATE) | (kinds == LEG_REQUESTED))
        return dict(zip(self._facts.row_keys.take(at).to_pylist(), at.tolist(), strict=True))

    def add(self, times: np.ndarray, at: np.ndarray, *owner: str) -> None:
        """Add the rows of commands that have ended to a queue; delete what is over.

        A row that a later command of the run has written was open then, or not there: it needs no look.
        """
        queue = Queue(ENDED, self._rows, self._retention.keep_us, *owner)
        keys = self._facts.row_keys.take(at).to_pylist()
        for last, over in queue.add_many(times.tolist(), keys):
            position = at[last]
            then = [key for key in over if self._written.get(key, -1) <= position]
            self._retention.delete_over(queue.newest_at, then, self._rows.get_many(then), queue, self._rows)
        queue.write()
