"""The requests stream: which request at the gateway is the first of its id.

requests --> Requests --> request-results
                 |
           table: requests --> /requests
"""

from __future__ import annotations

from pipeline.domain.requests.stream import Requests
from pipeline.domain.requests.views import VIEWS
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules of requests."""
    return Requests(windows(configuration)), None


STREAMS = (
    Topology(
        name="requests",
        source="requests",
        rules=rules,
        table="requests",
        outputs=("request-results",),
        settings=WINDOW_SETTINGS,
        views=VIEWS,
    ),
)
