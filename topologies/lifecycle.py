"""The lifecycle stream: follows every payment, and says which are stuck.

payment-events --> Lifecycle, or LifecycleBatch for large batches --> payment-alerts
                         |
                   table: lifecycle (every payment's life, what is due when, what is stuck)
                         --> /payments, /stuck
"""

from __future__ import annotations

from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.settings import LifecycleSettings
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.lifecycle.views import VIEWS
from topologies.configuration import Configuration
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that follow every payment."""
    stream = Lifecycle(configuration.of(LifecycleSettings))
    return stream, LifecycleBatch(stream)


STREAMS = (
    Topology(
        name="lifecycle",
        source="payment-events",
        rules=rules,
        table="lifecycle",
        outputs=("payment-alerts",),
        settings=(LifecycleSettings,),
        views=VIEWS,
        delay_tolerant=True,
    ),
)
