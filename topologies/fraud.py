"""The fraud stream: screens every payment before the ledger sees it.

fraud-commands --> FraudStream.apply --> ledger-commands (a decision for every payment; reviews, ticks)
                   |               payment-events  (that it was screened; reviews; what a quota refuses)
                   |               fraud-alerts    (review and decline)
             table: fraud (a profile per debtor, a decision per payment, a quota per tenant) --> /alerts
"""

from __future__ import annotations

from pipeline.domain.fraud import views
from pipeline.domain.fraud.batch import FraudBatch
from pipeline.domain.fraud.settings import FraudRules, FraudSettings, rules_parser
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.ledger.settings import LedgerSettings
from pipeline.domain.lifecycle.views import payment_state
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import TenantsSettings
from pipeline.runtime.operator_files import FRAUD_RULES
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.tenants import tenants
from topologies.topology import RulePair, Topology


def thresholds(configuration: Configuration) -> FraudRules:
    """Return the thresholds from the file that the settings name, else the defaults. Raises SettingsError."""
    path = configuration.of(FraudSettings).rules_file
    if path is None:
        return FraudRules()
    return configuration.file(FRAUD_RULES, path, rules_parser(path))


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that decide every payment before the ledger sees it. Raises SettingsError."""
    gate = Gate(tenants(configuration))
    ahead_us = configuration.of(LedgerSettings).clock_ahead_us
    stream = FraudStream(
        thresholds(configuration), gate=gate, windows=windows(configuration), ahead_us=ahead_us
    )
    return stream, FraudBatch(stream)


ALERTS = views.alerts(payment_state)
STREAMS = (
    Topology(
        name="fraud",
        source="fraud-commands",
        rules=rules,
        table="fraud",
        outputs=("ledger-commands", "payment-events", "fraud-alerts"),
        settings=(FraudSettings, TenantsSettings, *WINDOW_SETTINGS),
        views=(ALERTS,),
        earlier_source="payments",
    ),
)
