"""The history stream.

postings --> history.apply, or HistoryBatch for large batches
                   |
             table: history (every account's lines, in the order of booking)
"""

from __future__ import annotations

from pipeline.domain.history import stream as history
from pipeline.domain.history.batch import HistoryBatch
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import LINGER_S, StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that keeps what every account was, for questions about the past."""
    return [
        StreamSpec("history", "postings", history, table="history", vector=HistoryBatch(), linger_s=LINGER_S)
    ]
