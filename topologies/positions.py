"""The positions stream: quantity, average cost and profit of every position.

position-commands --> positions.apply, or PositionBatch for large batches --> positions
                            |
                      table: positions (positions, trades, last quotes) --> /positions
"""

from __future__ import annotations

from pipeline.domain.positions import stream as positions
from pipeline.domain.positions.batch import PositionBatch
from pipeline.domain.positions.views import VIEWS
from topologies.topology import Topology

STREAMS = (
    Topology(
        name="positions",
        source="position-commands",
        rules=lambda _: (positions, PositionBatch()),
        table="positions",
        outputs=("positions",),
        views=VIEWS,
    ),
)
