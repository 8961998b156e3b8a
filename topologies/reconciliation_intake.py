"""What the log of reconciliation gets of other topics, besides statements, decisions and weights.

rates --> intake-rates-items --> reconciliation-items (every partition): what a currency is worth

It reads a log behind another stream, which says what is wrong with a record: intake-rates.
"""

from __future__ import annotations

from pipeline.domain.intake.stream import ITEMS_ALSO, IntakeBeside
from topologies.topology import Topology

TARGET = "reconciliation-items"
RATES = IntakeBeside("rates", TARGET, ITEMS_ALSO)
STREAMS = (Topology("intake-rates-items", "rates", lambda _: (RATES, None), outputs=(TARGET,)),)
