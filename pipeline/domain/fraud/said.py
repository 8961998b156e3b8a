"""What a run says of its events, as events of the log's topics."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

from pipeline.domain.fraud.decision_book import facts_of
from pipeline.domain.fraud.run_results import Drifted, Funds, Labelled, Result, Told
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import envelope
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY

COMMANDS = "fraud-commands"
"""The stream's own log: what other partitions have to know comes there."""
ALERTS = "fraud-alerts"


def own_command(cause: Any, result: Result) -> tuple[str, str, Any]:
    """Return what other partitions, or people, are told of an event: topic, key, event."""
    if isinstance(result, Drifted):
        return _drifted(result)
    if isinstance(result, Funds):
        return _funds(cause, result)
    if isinstance(result, Labelled):
        said: Any = ev.PayeeFraudConfirmed(
            *envelope(cause, "payee_fraud_confirmed"),
            cause.payment_id,
            result.creditor_account_id,
            result.debtor_account_id,
            result.paid_us,
            result.label,
            result.labelled_us,
        )
        return COMMANDS, f"{cause.tenant_id}/{result.creditor_account_id}", said
    assert isinstance(result, Told), "decisions are no commands"
    said = ev.PayeeRiskChanged(
        *envelope(cause, "payee_risk_changed"), result.account_id, result.as_of_us, card_text(result.card)
    )
    return COMMANDS, f"{cause.tenant_id}/{result.account_id}", said


def card_text(card: bytes) -> str:
    """Return the row of a card as events have it."""
    return b2a_base64(card, newline=False).decode("ascii")


def _drifted(result: Drifted) -> tuple[str, str, Any]:
    cause = result.cause
    said = ev.FraudModelDrifted(
        *envelope(cause, "fraud_model_drifted"),
        result.model,
        result.partition,
        result.day * MICROSECONDS_PER_DAY,
        result.payments,
        tuple(ev.FeatureDrift(*one) for one in result.drifted),
    )
    return ALERTS, f"{cause.tenant_id}/{result.model}", said


def _funds(cause: ev.PostingRecorded, result: Funds) -> tuple[str, str, Any]:
    paid, origins = facts_of(result.decision), facts_of(result.decision).origins
    assert cause.payment_id is not None, "it is the posting of a payment"
    said = ev.FundsReceived(
        *envelope(cause, "funds_received"),
        cause.payment_id,
        paid.creditor_account_id,
        cause.account_id,
        cause.amount_minor,
        cause.currency,
        result.decision.at_us,
        tuple(ev.MoneyOrigin(*origins[place : place + 2]) for place in range(0, len(origins), 2)),
    )
    return COMMANDS, f"{cause.tenant_id}/{paid.creditor_account_id}", said
