"""The fraud stream.

payments --> FraudStream.apply --> ledger-commands (a decision for every payment; reviews, cancellations)
                   |               payment-events  (that it was screened; reviews)
                   |               fraud-alerts    (review and decline)
                   |               payment-events  (what a tenant's quota refuses)
             table: fraud (a profile per debtor, a decision per payment, a quota per tenant)
"""

from __future__ import annotations

from pipeline.domain.fraud.batch import FraudBatch
from pipeline.domain.fraud.settings import FraudRules, parse_rules
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.tenants.quotas import Gate
from pipeline.runtime.settings import Settings
from pipeline.runtime.streams import StreamSpec
from topologies.tenants import parsed, tenants


def rules(settings: Settings) -> FraudRules:
    """Return the thresholds: those of the file in the settings, else the defaults."""
    path = settings.fraud_rules_file
    if path is None:
        return FraudRules()
    return parsed(path, "FRAUD_RULES_FILE", _parse_json if path.suffix == ".json" else parse_rules)


def _parse_json(text: str) -> FraudRules:
    return parse_rules(text, "json")


def build(settings: Settings) -> list[StreamSpec]:
    """Return the stream that decides every payment before the ledger sees it."""
    stream = FraudStream(rules(settings), gate=Gate(tenants(settings)))
    return [StreamSpec("fraud", "payments", stream, table="fraud", vector=FraudBatch(stream))]
