# Written by `python -m pipeline.schema_models` from schemas/: do not edit.
"""The events as the domain sees them: one frozen Struct per event, newest version, fields in schema order.

Times are int microseconds UTC, dates int days since 1970-01-01, money int minor units, enums their symbols.
`EVENTS` finds a class by its full Avro record name.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ClosureReason = Literal["customer_request", "regulatory", "fraud"]
AccountType = Literal["checking", "savings", "investment", "merchant", "nostro", "internal"]
RegulatoryTier = Literal["retail", "professional", "institutional"]
AccountStatus = Literal["OPEN", "CLOSED", "UNSPECIFIED"]
DecisionOutcome = Literal["APPROVE", "REVIEW", "DECLINE"]
ResultCode = Literal[
    "ok",
    "exists",
    "exists_with_different_amount",
    "exists_with_different_currency",
    "exists_with_different_debtor",
    "exists_with_different_creditor",
    "exists_with_different_content",
    "debtor_not_found",
    "creditor_not_found",
    "debtor_closed",
    "creditor_closed",
    "currency_mismatch",
    "insufficient_funds",
    "amount_must_be_positive",
    "accounts_must_differ",
    "overflow",
    "declined",
    "cancelled",
    "expired",
    "too_old",
    "account_not_found",
    "account_closed",
    "account_not_empty",
    "payment_not_found",
    "payment_not_held",
    "payment_in_flight",
    "already_settled",
    "already_failed",
    "unspecified",
]
PaymentType = Literal["transfer", "payment", "withdrawal", "deposit"]
HoldChange = Literal["PLACED", "RELEASED", "UNSPECIFIED"]
PostingSide = Literal["DEBIT", "CREDIT"]
BreakType = Literal[
    "MISSING_INTERNAL",
    "MISSING_EXTERNAL",
    "AMOUNT",
    "DUPLICATE",
    "OPENING_BALANCE",
    "CLOSING_BALANCE",
    "SEQUENCE_GAP",
    "UNSPECIFIED",
]
MatchTier = Literal["REFERENCE", "AMOUNT_DATE", "UNSPECIFIED"]
TradeSide = Literal["BUY", "SELL"]


class FraudReason(msgspec.Struct, frozen=True, gc=False):
    """One rule that fired, and the values behind it."""

    rule: str
    detail: str


class AccountClosed(msgspec.Struct, frozen=True, gc=False):
    """An account was closed."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    reason: str
    regulatory_notification_sent: bool


class AccountLimitSet(msgspec.Struct, frozen=True, gc=False):
    """The overdraft limit of an account was set."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    overdraft_limit_minor: int | None


class AccountOpened(msgspec.Struct, frozen=True, gc=False):
    """An account was opened."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    customer_id: str
    account_type: str
    currency: str
    initial_balance_minor: int
    regulatory_tier: str
    compliance_flags: tuple[str, ...]
    overdraft_limit_minor: int | None


class BalanceUpdated(msgspec.Struct, frozen=True, gc=False):
    """The counters of an account after a change."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    account_type: str
    currency: str
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    available_minor: int
    balance_minor: int
    account_sequence: int
    overdraft_limit_minor: int | None
    status: str


class FraudAlertRaised(msgspec.Struct, frozen=True, gc=False):
    """A payment was held for review or declined."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    alert_id: str
    payment_id: str
    account_id: str
    outcome: str
    score: int
    reasons: tuple[FraudReason, ...]
    rules_version: str


class LegPosted(msgspec.Struct, frozen=True, gc=False):
    """The creditor's partition has booked the leg; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    leg_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str


class LegRefused(msgspec.Struct, frozen=True, gc=False):
    """The creditor's partition has refused the leg; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    leg_id: str
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class LegRequested(msgspec.Struct, frozen=True, gc=False):
    """The debtor's partition asks the creditor's to book its leg; keyed by the creditor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    leg_id: str
    payment_id: str
    account_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    origin_branch: int
    reference: str


class PaymentDecided(msgspec.Struct, frozen=True, gc=False):
    """What the fraud rules say of a payment, with the payment itself; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    payment_type: str
    reference: str
    channel: str | None
    device_id: str | None
    counterparty_country: str | None
    merchant_category: str | None
    outcome: str
    score: int
    reasons: tuple[FraudReason, ...]
    rules_version: str


class CommandRefused(msgspec.Struct, frozen=True, gc=False):
    """A command other than a payment was refused, and why."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    command: str
    account_id: str
    payment_id: str | None
    code: str


class PaymentCancelledOutcome(msgspec.Struct, frozen=True, gc=False):
    """The payment was cancelled and its hold released."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentExpired(msgspec.Struct, frozen=True, gc=False):
    """The hold of the payment ran out and was released."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentFailed(msgspec.Struct, frozen=True, gc=False):
    """The payment was held, then released."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentRejected(msgspec.Struct, frozen=True, gc=False):
    """The payment was refused; nothing was booked."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentReserved(msgspec.Struct, frozen=True, gc=False):
    """The amount is held on the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentSettled(msgspec.Struct, frozen=True, gc=False):
    """The payment is booked on both accounts."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    code: str


class PaymentCancelled(msgspec.Struct, frozen=True, gc=False):
    """A payment is to be cancelled if it has not been settled; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    reason: str


class PaymentInitiated(msgspec.Struct, frozen=True, gc=False):
    """A payment was asked for; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    payment_type: str
    reference: str
    channel: str | None
    device_id: str | None
    counterparty_country: str | None
    merchant_category: str | None


class PaymentReviewed(msgspec.Struct, frozen=True, gc=False):
    """A reviewer released or stopped a held payment; keyed by the debtor's account."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    approved: bool
    reviewer: str
    reason: str


class PositionUpdated(msgspec.Struct, frozen=True, gc=False):
    """A position of an account in an instrument after a change."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    instrument_id: str
    quantity_e8: int
    average_cost_e8: int
    cost_basis_e8: int
    realised_pnl_e8: int
    unrealised_pnl_e8: int | None
    last_price_e8: int | None
    last_price_at: int | None
    currency: str
    fees_minor: int
    trades: int


class HoldRecorded(msgspec.Struct, frozen=True, gc=False):
    """A hold was placed, or ended without a posting."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    hold_id: str
    account_id: str
    account_type: str
    change: str
    amount_minor: int
    currency: str
    held_minor_after: int
    balance_minor: int
    booked_at: int
    branch: int


class PostingRecorded(msgspec.Struct, frozen=True, gc=False):
    """One posting of the journal."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    posting_id: str
    entry_id: str
    payment_id: str | None
    account_id: str
    account_type: str
    side: str
    amount_minor: int
    currency: str
    account_sequence: int
    balance_minor_after: int
    branch: int
    reference: str | None
    booked_at: int | None
    held_minor_after: int | None


class PriceQuoted(msgspec.Struct, frozen=True, gc=False):
    """A price of an instrument; keyed by the instrument, read by every partition."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    instrument_id: str
    price_e8: int
    currency: str


class BreakOpened(msgspec.Struct, frozen=True, gc=False):
    """Statement and books differ."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    break_id: str
    type: str
    account_id: str
    amount_minor: int
    currency: str
    statement_id: str | None
    line_no: int | None
    posting_id: str | None
    detail: str


class BreakResolved(msgspec.Struct, frozen=True, gc=False):
    """A break was explained by a later arrival."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    break_id: str
    type: str
    account_id: str
    resolution: str
    statement_id: str | None
    posting_id: str | None


class ItemMatched(msgspec.Struct, frozen=True, gc=False):
    """A statement line was matched to postings."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    statement_id: str
    line_no: int
    account_id: str
    posting_ids: tuple[str, ...]
    tier: str
    amount_minor: int
    currency: str


class StatementClosed(msgspec.Struct, frozen=True, gc=False):
    """An external account statement is complete."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    statement_id: str
    account_id: str
    currency: str
    opening_balance_minor: int
    closing_balance_minor: int
    line_count: int
    closed_at: int


class StatementLine(msgspec.Struct, frozen=True, gc=False):
    """One line of an external account statement."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    statement_id: str
    account_id: str
    line_no: int
    external_reference: str | None
    amount_minor: int
    currency: str
    booked_at: int
    value_date: int
    description: str


class TradeExecuted(msgspec.Struct, frozen=True, gc=False):
    """A trade was executed."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    trade_id: str
    account_id: str
    instrument_id: str
    side: str
    quantity_e8: int
    price_e8: int
    fee_minor: int
    currency: str


class TradeSettled(msgspec.Struct, frozen=True, gc=False):
    """A trade was settled."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    trade_id: str
    account_id: str
    settled_at: int


EVENTS: dict[str, type[msgspec.Struct]] = {
    "ledgerflow.AccountClosed": AccountClosed,
    "ledgerflow.AccountLimitSet": AccountLimitSet,
    "ledgerflow.AccountOpened": AccountOpened,
    "ledgerflow.BalanceUpdated": BalanceUpdated,
    "ledgerflow.FraudAlertRaised": FraudAlertRaised,
    "ledgerflow.LegPosted": LegPosted,
    "ledgerflow.LegRefused": LegRefused,
    "ledgerflow.LegRequested": LegRequested,
    "ledgerflow.PaymentDecided": PaymentDecided,
    "ledgerflow.CommandRefused": CommandRefused,
    "ledgerflow.outcomes.PaymentCancelled": PaymentCancelledOutcome,
    "ledgerflow.PaymentExpired": PaymentExpired,
    "ledgerflow.PaymentFailed": PaymentFailed,
    "ledgerflow.PaymentRejected": PaymentRejected,
    "ledgerflow.PaymentReserved": PaymentReserved,
    "ledgerflow.PaymentSettled": PaymentSettled,
    "ledgerflow.PaymentCancelled": PaymentCancelled,
    "ledgerflow.PaymentInitiated": PaymentInitiated,
    "ledgerflow.PaymentReviewed": PaymentReviewed,
    "ledgerflow.PositionUpdated": PositionUpdated,
    "ledgerflow.HoldRecorded": HoldRecorded,
    "ledgerflow.PostingRecorded": PostingRecorded,
    "ledgerflow.PriceQuoted": PriceQuoted,
    "ledgerflow.BreakOpened": BreakOpened,
    "ledgerflow.BreakResolved": BreakResolved,
    "ledgerflow.ItemMatched": ItemMatched,
    "ledgerflow.StatementClosed": StatementClosed,
    "ledgerflow.StatementLine": StatementLine,
    "ledgerflow.TradeExecuted": TradeExecuted,
    "ledgerflow.TradeSettled": TradeSettled,
}
