"""The positions stream: quantity, average cost and profit of every position.

position-commands --> Positions, or PositionBatch for large batches --> positions
                            |
                      table: positions (positions, trades, last quotes) --> /positions
"""

from __future__ import annotations

from pipeline.domain.positions.batch import PositionBatch
from pipeline.domain.positions.stream import Positions
from pipeline.domain.positions.views import VIEWS
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules of positions."""
    known = windows(configuration)
    return Positions(known), PositionBatch(known)


STREAMS = (
    Topology(
        name="positions",
        source="position-commands",
        rules=rules,
        table="positions",
        outputs=("positions",),
        settings=WINDOW_SETTINGS,
        views=VIEWS,
    ),
)
