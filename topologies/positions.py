"""The positions stream.

position-commands --> positions.apply --> positions
                            |
                      table: positions (positions, trades, last quotes)
"""

from __future__ import annotations

from pipeline.domain.positions import stream as positions
from pipeline.domain.positions.batch import PositionBatch
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that keeps quantity, average cost and profit of every position."""
    vector = PositionBatch()
    return [StreamSpec("positions", "position-commands", positions, table="positions", vector=vector)]
