"""The invariants stream: checks the journal record by record. It reads the same log as history.

postings --> invariants.apply, or InvariantBatch for large batches --> invariant-alerts, clearing-totals
                   |
             table: invariants (totals of every account, totals of clearing)
"""

from __future__ import annotations

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.invariants.batch import InvariantBatch
from topologies.topology import Topology

STREAMS = (
    Topology(
        name="invariants",
        source="postings",
        rules=lambda _: (invariants, InvariantBatch()),
        table="invariants",
        outputs=("invariant-alerts", "clearing-totals"),
        delay_tolerant=True,
    ),
)
