"""The invariants stream, beside the history on its log.

postings --> invariants.apply, or InvariantBatch for large batches --> invariant-alerts, clearing-totals
                   |
             table: invariants (what every account has come to, what went through clearing)
"""

from __future__ import annotations

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.invariants.batch import InvariantBatch
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import LINGER_S, StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that checks the journal, record by record."""
    return [
        StreamSpec(
            "invariants",
            "postings",
            invariants,
            table="invariants",
            vector=InvariantBatch(),
            linger_s=LINGER_S,
        )
    ]
