"""Time for branches without traffic: the worker's ticks.

branch_ticked --> fraud-commands --> fraud --> ledger-commands --> ledger (what is due takes effect)
"""

from __future__ import annotations

from pipeline.domain.ledger.rows import read_watermark
from pipeline.runtime.ticks import Ticking

UPSTREAM = ("payments", "accounts", "journals")
TICKING = Ticking(
    topic="fraud-commands",
    writers=UPSTREAM,
    logs=(*UPSTREAM, "fraud-commands", "ledger-commands"),
    clocks={"ledger": read_watermark},
)
