"""Reviews and labels on the debtor's partition: what they teach, one by one, and what the payee's is told."""

from __future__ import annotations

import msgspec
import numpy as np

from pipeline.domain.fraud.decision_book import facts_of
from pipeline.domain.fraud.decisions import Decision
from pipeline.domain.fraud.features.amounts import number_of
from pipeline.domain.fraud.features.columns import Keys
from pipeline.domain.fraud.features.ids import id63
from pipeline.domain.fraud.receipt_work import one_payment
from pipeline.domain.fraud.run_keys import LabelKeys
from pipeline.domain.fraud.run_results import Labelled
from pipeline.domain.fraud.state_rows import FeatureRows

FRAUD, GENUINE = "FRAUD", "GENUINE"


class Label(msgspec.Struct, frozen=True, gc=False):
    """A review or a label of a payment whose decision is known."""

    place: int
    """Of the event in the run."""
    decision: Decision
    key: bytes
    """Of the decision's row."""
    debtor_account_id: str
    keys: LabelKeys
    says: str
    """FRAUD or GENUINE."""
    at_us: int
    """When it was known."""
    is_review: bool
    tenant: int


class Cancelled(msgspec.Struct, frozen=True, gc=False):
    """A payment that is cancelled while it may wait for a reviewer."""

    place: int
    """Of the event in the run."""
    decision: Decision
    key: bytes


def cancel(what: Cancelled) -> bool:
    """Let a review teach nothing any more; return whether that changes the decision."""
    paid = what.decision.paid
    if paid is None or not paid.waits:
        return False
    paid.waits = False
    return True


def label(what: Label, features: FeatureRows) -> tuple[bool, Labelled | None]:
    """Apply a label; return whether the decision has changed, and what the payee's partition is told.

    The newest label of a payment counts. A review is one of a payment that waits for it, and of no other.
    """
    paid = what.decision.paid
    if paid is None or (what.is_review and not paid.waits):
        return False, None
    if paid.labelled_us is not None and what.at_us < paid.labelled_us:
        return False, None
    paid.labelled_us = what.at_us
    if what.is_review and what.says == GENUINE and paid.fraud_us is None:
        _change(what, features, "learn")
        paid.learned = True
    paid.waits = False
    told_us, says = None, what.says
    if says == FRAUD and paid.fraud_us is None:
        _change(what, features, "unlearn")
        told_us = paid.fraud_us = what.at_us
    elif says == GENUINE and paid.fraud_us is not None:
        _change(what, features, "relearn")
        told_us, paid.fraud_us = paid.fraud_us, None
    if told_us is None:
        return True, None
    return True, Labelled(
        paid.creditor_account_id, what.debtor_account_id, what.decision.at_us, says, told_us
    )


def _change(what: Label, features: FeatureRows, rule: str) -> None:
    """Change the debtor's habits, where they are still known."""
    paid = facts_of(what.decision)
    keys = what.keys
    if not features.payers.knows(keys.payer) or not features.pairs.knows(keys.pair):
        return
    features.payers.touch([keys.payer], [what.place], [0])
    features.pairs.touch([keys.pair], [what.place], [0])
    payment = one_payment(
        what.decision.at_us,
        id63(what.debtor_account_id),
        id63(paid.creditor_account_id),
        paid.device,
        paid.country,
        number_of(what.tenant, paid.currency),
        paid.amount_minor,
    )
    of = Keys([keys.payer], (), (), [keys.pair], (), [keys.population])
    if rule == "learn":
        features.tables.learn(payment, of)
    elif rule == "unlearn":
        features.tables.unlearn(payment, np.array([paid.learned]), of)
    else:
        features.tables.relearn(payment, np.array([paid.learned]), of)
