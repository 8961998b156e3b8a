"""The outputs of a run of the fraud stream: decisions, alerts and refusals as columns, in payment order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Block, Run, derived_ids, joined, said, taken
from pipeline.domain.kernel.texts_batch import one_value_a_key

_REASONS = pa.list_(pa.struct([("rule", pa.string()), ("detail", pa.string())]))
_ENVELOPE = ("tenant_id", "occurred_at", "correlation_id", "payment_id", "debtor_account_id")
_MONEY = ("creditor_account_id", "amount_minor", "currency")
_PAYMENT = (
    *(*_MONEY, "payment_type", "reference"),
    *("channel", "device_id", "counterparty_country", "merchant_category", "hold_expires_at"),
)


def decisions_blocks(run: Run, at: np.ndarray, verdicts: list[Verdict]) -> list[Block]:
    """Return payment_decided and payment_screened for the payments at some positions of the run."""
    optional = said(
        run.columns,
        *("actor", "metadata", "expected_sequence", "hold", "balancing", "creditor_currency", "rate_e8"),
    )
    columns, keys, named = _causes(run, at, *_PAYMENT, *optional)
    judged = _judged(verdicts)
    decided = columns | judged | {"event_id": derived_ids(named, "payment_decided")}
    if "metadata" in columns:
        decided["metadata"] = one_value_a_key(columns["metadata"])
    fields = (*_ENVELOPE, "causation_id", *_MONEY, "hold_expires_at", *said(run.columns, "actor", "hold"))
    screened = {name: columns[name] for name in fields}
    screened |= {"event_id": derived_ids(named, "payment_screened"), "outcome": judged["outcome"]}
    screened["decision_id"] = decided["event_id"]
    return [
        Block("ledger-commands", ev.PaymentDecided, at, keys, decided),
        Block("payment-events", ev.PaymentScreened, at, keys, screened),
    ]


def alerts_block(
    run: Run, alerts: list[tuple[int, Verdict]], alert_ids: Sequence[str] | None = None
) -> Block:
    """Return fraud_alert_raised for payments: their positions in the run, ascending, and the verdicts.

    `alert_ids`: of the alerts that they belong to; None: each is one of its own.
    """
    positions, verdicts = zip(*alerts, strict=True)
    at = np.array(positions, np.int64)
    columns, keys = _caused(run, at, "fraud_alert_raised")
    columns["alert_id"] = columns["event_id"] if alert_ids is None else pa.array(alert_ids, pa.string())
    columns["account_id"] = columns.pop("debtor_account_id")
    return Block("fraud-alerts", ev.FraudAlertRaised, at, keys, columns | _judged(verdicts))


def refusals_block(run: Run, codes: dict[int, str]) -> Block:
    """Return command_refused for payments: their positions in the run, ascending, and the result codes."""
    at = np.fromiter(codes, np.int64, len(codes))
    columns, keys = _caused(run, at, "refused:payment_initiated", *said(run.columns, "actor"))
    columns["account_id"] = columns.pop("debtor_account_id")
    columns["command"] = pa.array(["payment_initiated"] * len(at))
    columns["code"] = pa.array(codes.values(), pa.string())
    return Block("payment-events", ev.CommandRefused, at, keys, columns)


def _caused(run: Run, at: np.ndarray, name: str, *fields: str) -> tuple[dict[str, pa.Array], pa.Array]:
    """Return the envelope of events that payments cause, some fields of the payments, and the record keys."""
    columns, keys, named = _causes(run, at, *fields)
    return columns | {"event_id": derived_ids(named, name)}, keys


def _causes(run: Run, at: np.ndarray, *fields: str) -> tuple[dict[str, pa.Array], pa.Array, pa.Array]:
    """Return what `_caused` does but the ids of the events, and what these are made of."""
    columns = taken(run.columns, ("event_id", *_ENVELOPE, *fields), at)
    cause = columns["causation_id"] = columns.pop("event_id")
    tenant, debtor = columns["tenant_id"], columns["debtor_account_id"]
    named = joined("\0", tenant, debtor, columns["payment_id"], cause)  # `routing.cause_name`
    return columns, joined("/", tenant, debtor), named


def _judged(verdicts: Sequence[Verdict]) -> dict[str, pa.Array]:
    """Return what verdicts say; payments that are approved have one in common, so each is told once."""
    places: dict[int, int] = {}
    take = pa.array([places.setdefault(id(one), len(places)) for one in verdicts], pa.int64())
    different = {id(one): one for one in verdicts}.values()
    reasons = [[{"rule": rule, "detail": detail} for rule, detail in one.reasons] for one in different]
    columns = {
        "outcome": pa.array([one.outcome for one in different], pa.string()),
        "score": pa.array([one.score for one in different], pa.int64()),
        "reasons": pa.array(reasons, _REASONS),
        "rules_version": pa.array([one.version for one in different], pa.string()),
    }
    return {name: column.take(take) for name, column in columns.items()}
