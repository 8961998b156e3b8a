"""Which account (or instrument) an event belongs to: its record key, and so its partition."""

from __future__ import annotations

from typing import Any

from pipeline.domain import events as ev

KEY_FIELDS: dict[type, str] = {
    ev.AccountOpened: "account_id",
    ev.AccountLimitSet: "account_id",
    ev.AccountClosed: "account_id",
    ev.PaymentInitiated: "debtor_account_id",
    ev.PaymentReviewed: "debtor_account_id",
    ev.PaymentCancelled: "debtor_account_id",
    ev.PaymentDecided: "debtor_account_id",
    ev.LegRequested: "account_id",
    ev.LegPosted: "debtor_account_id",
    ev.LegRefused: "debtor_account_id",
    ev.TradeExecuted: "account_id",
    ev.TradeSettled: "account_id",
    ev.PriceQuoted: "instrument_id",
    ev.StatementLine: "account_id",
    ev.StatementClosed: "account_id",
    ev.PostingRecorded: "account_id",
}
"""The field that is the second part of the key of each event that a stream reads."""

BROADCAST = frozenset({ev.PriceQuoted})
"""Events that are copied to every partition of a log; their key says nothing about the partition."""


def record_key(event: Any) -> str:
    """Return `tenant_id/<account or instrument>` of an event that a stream reads."""
    return f"{event.tenant_id}/{getattr(event, KEY_FIELDS[type(event)])}"
