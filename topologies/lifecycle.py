"""The lifecycle stream: tracks every payment, and reports those that are stuck.

payment-events --> Lifecycle, or LifecycleBatch for large batches --> payment-alerts, invariant-alerts
                         |
                   table: lifecycle (steps of every payment, deadlines, stuck payments)
                         --> /payments, /stuck
"""

from __future__ import annotations

from pipeline.domain.ledger.views import exchange_of
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.settings import LifecycleSettings
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.domain.lifecycle.views import STUCK, payments
from pipeline.domain.tenants.settings import TenantsSettings
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.tenants import tenants
from topologies.topology import RulePair, Topology


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that track every payment. Raises SettingsError for a bad file of tenants."""
    settings = configuration.of(LifecycleSettings)
    stream = Lifecycle(settings, windows(configuration), tenants(configuration))
    return stream, LifecycleBatch(stream)


PAYMENTS = payments(exchange_of)
STREAMS = (
    Topology(
        name="lifecycle",
        source="payment-events",
        rules=rules,
        table="lifecycle",
        outputs=("payment-alerts", "invariant-alerts"),
        settings=(LifecycleSettings, TenantsSettings, *WINDOW_SETTINGS),
        views=(PAYMENTS, STUCK),
        delay_tolerant=True,
    ),
)
