"""What has ended in a run: keys of payments and legs for their queues, and the rows that go for them."""

from __future__ import annotations

import numpy as np

from pipeline.domain.kernel.retention import Queue
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.batch.decide import STATES, DecidedRun
from pipeline.domain.ledger.batch.facts import LEG_REQUESTED, Facts
from pipeline.domain.ledger.retention import Retention
from pipeline.domain.ledger.rows import ENDED, ENDED_STATES

ENDS = np.isin(STATES, list(ENDED_STATES))
"""Whether a payment has ended, by the index of its state."""


def note_endings(facts: Facts, decision: DecidedRun, retention: Retention, rows: PrefetchingRows) -> None:
    """Add what has ended in a run to its queues, and delete what is over, as the row path does."""
    at = np.flatnonzero(ENDS[decision.state])
    if len(at):
        _add(decision.watermarks[at], at, facts, Queue(ENDED, rows, retention.keep_us), retention, rows)
    if not facts.told:
        return
    legs = np.flatnonzero(facts.run.kinds[: decision.length] == LEG_REQUESTED)
    occurred = facts.columns["occurred_at"].to_numpy(zero_copy_only=False)
    seen = np.minimum(occurred, facts.run.recorded_at)
    for home in facts.told:
        here = legs[facts.home[legs] == home]
        queue = Queue(ENDED, rows, retention.keep_us, str(home))
        _add(seen[here], here, facts, queue, retention, rows)


def _add(
    times: np.ndarray,
    at: np.ndarray,
    facts: Facts,
    queue: Queue,
    retention: Retention,
    rows: PrefetchingRows,
) -> None:
    for keys in queue.add_many(times.tolist(), facts.row_keys.take(at).to_pylist()):
        retention.delete_over(queue.newest_at, keys, rows.get_many(keys), queue, rows)
    queue.write()
