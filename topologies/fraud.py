"""The fraud stream: screens every payment before the ledger sees it.

fraud-commands --> FraudLog.apply --> ledger-commands (a decision for every payment; reviews, ticks)
   ^                |                 payment-events  (that it was screened; reviews; what a quota refuses)
   |                |                 fraud-alerts    (review and decline; drift of the live model)
   +----------------+-- what the partitions of payees have to know, and all partitions of payees
              table: fraud (states of debtors and payees, decisions, what is published, quotas)
                     --> /alerts /fraud-debtors /fraud-payees /fraud-days
"""

from __future__ import annotations

from pipeline.domain.fraud import views
from pipeline.domain.fraud.day_views import DAYS
from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.settings import FraudSettings
from pipeline.domain.fraud.state_views import DEBTORS, PAYEES
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.ledger.settings import LedgerSettings
from pipeline.domain.lifecycle.views import payment_state
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import TenantsSettings
from pipeline.runtime.settings import SettingsError
from topologies.configuration import Configuration
from topologies.retention import WINDOW_SETTINGS, windows
from topologies.tenants import tenants
from topologies.topology import RulePair, Topology


def thresholds(configuration: Configuration) -> Thresholds:
    """Return what the rules' points come to. Raises SettingsError."""
    settings = configuration.of(FraudSettings)
    least = settings.fraud_review_score_min, settings.fraud_decline_score_min
    try:
        return Thresholds(review_score_min=least[0], decline_score_min=least[1])
    except ValueError as error:
        raise SettingsError(f"LEDGERFLOW_FRAUD_DECLINE_SCORE_MIN={least[1]}: {error}") from None


def rules(configuration: Configuration) -> RulePair:
    """Return the rules that decide every payment before the ledger sees it. Raises SettingsError."""
    terms = Terms(
        thresholds=thresholds(configuration),
        gate=Gate(tenants(configuration)),
        windows=windows(configuration),
        ahead_us=configuration.of(LedgerSettings).clock_ahead_us,
        decisions_kept_days=configuration.of(FraudSettings).fraud_decisions_kept_days,
    )
    stream = FraudLog(terms)
    return stream, FraudLogBatch(stream)


COLUMNS_FROM = 8
"""By columns a batch of 8 costs as much as its events one by one, one of 16 half of that (README)."""
SLICE_RECORDS = 8_192
"""In a backlog a payment costs a fifth to a third less in slices of these than of 2,048 records (README)."""
ALERTS = views.alerts(payment_state)
STREAMS = (
    Topology(
        name="fraud",
        source="fraud-commands",
        rules=rules,
        table="fraud",
        outputs=("fraud-commands", "ledger-commands", "payment-events", "fraud-alerts"),
        settings=(FraudSettings, TenantsSettings, *WINDOW_SETTINGS),
        views=(ALERTS, DEBTORS, PAYEES, DAYS),
        columns_from=COLUMNS_FROM,
        slice_records=SLICE_RECORDS,
        earlier_source="payments",
    ),
)
