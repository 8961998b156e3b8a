"""Time for branches without traffic: the worker's ticks.

branch_ticked --> fraud-commands --> fraud --> ledger-commands --> ledger (what is due takes effect)
                                                                     |
                       reconciliation (quiet accounts wake up) <-- reconciliation-items
"""

from __future__ import annotations

from pipeline.domain.fraud.scheduled_rows import read_clock
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger.due import is_due
from pipeline.domain.ledger.rows import read_watermark
from pipeline.domain.reconciliation.desk.time import branch_time
from pipeline.runtime.ticks import Ticking
from topologies import intake

COMMANDS = ("fraud-commands", "ledger-commands", "reconciliation-items")
UPSTREAM = tuple(stream.source for stream in intake.STREAMS if set(stream.outputs) & set(COMMANDS))


def _fraud_time(rows: Rows) -> int:
    """Return the event time of a partition of the fraud stream, in which payments wait for theirs."""
    return read_clock(rows).watermark


def _fraud_left(rows: Rows) -> bool:
    """Whether payments wait whose time has come."""
    clock = read_clock(rows)
    return clock.is_due(clock.watermark)


def _ledger_left(rows: Rows) -> bool:
    """Whether something is due that has not taken effect."""
    return is_due(rows, read_watermark(rows))


TICKING = Ticking(
    topic="fraud-commands",
    writers=UPSTREAM,
    logs=(*UPSTREAM, *COMMANDS),
    clocks={"fraud": _fraud_time, "ledger": read_watermark, "reconciliation": branch_time},
    left={"fraud": _fraud_left, "ledger": _ledger_left},
)
