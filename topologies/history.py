"""The history stream: keeps every booking of an account, for questions about the past.

postings --> history.apply, or HistoryBatch for large batches --> history-alerts
                   |
             table: history (every account's lines, in the order of booking)
                   --> /history, /statements, /balances?as_of=
"""

from __future__ import annotations

from pipeline.domain.history import stream as history
from pipeline.domain.history.batch import HistoryBatch
from pipeline.domain.history.views import VIEWS
from topologies.topology import Topology

STREAMS = (
    Topology(
        name="history",
        source="postings",
        rules=lambda _: (history, HistoryBatch()),
        table="history",
        outputs=("history-alerts",),
        views=VIEWS,
        delay_tolerant=True,
    ),
)
