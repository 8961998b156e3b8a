# Written by `python -m pipeline.schema_models` from schemas/: do not edit.
"""The input events as pydantic models, for upstream systems written in Python: newest version of each.

    event = PaymentInitiated(tenant_id="acme", payment_id="p-1", ...)
    producer.produce(event.TOPIC, key=event.key(), value=serializer(event.to_avro(), ...))

Money is int minor units, quantities and prices int units of 1e-8.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pipeline.input_event import Currency, Day, Flag, Id, InputEvent, Long, Moment


class ClosureReason(StrEnum):
    CUSTOMER_REQUEST = "customer_request"
    REGULATORY = "regulatory"
    FRAUD = "fraud"


class AccountType(StrEnum):
    CHECKING = "checking"
    SAVINGS = "savings"
    INVESTMENT = "investment"
    MERCHANT = "merchant"
    NOSTRO = "nostro"
    INTERNAL = "internal"


class RegulatoryTier(StrEnum):
    RETAIL = "retail"
    PROFESSIONAL = "professional"
    INSTITUTIONAL = "institutional"


class PaymentType(StrEnum):
    TRANSFER = "transfer"
    PAYMENT = "payment"
    WITHDRAWAL = "withdrawal"
    DEPOSIT = "deposit"


class TradeSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class AccountClosed(InputEvent):
    """An account was closed."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountClosed"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    reason: ClosureReason
    regulatory_notification_sent: Flag = False


class AccountLimitSet(InputEvent):
    """The overdraft limit of an account was set."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountLimitSet"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    overdraft_limit_minor: Long | None


class AccountOpened(InputEvent):
    """An account was opened."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountOpened"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    customer_id: Id
    account_type: AccountType
    currency: Currency
    initial_balance_minor: Long
    regulatory_tier: RegulatoryTier = RegulatoryTier.RETAIL
    compliance_flags: tuple[str, ...] = ()
    overdraft_limit_minor: Long | None = 0


class PaymentCancelled(InputEvent):
    """A payment is to be cancelled if it has not been settled; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentCancelled"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    reason: str


class PaymentInitiated(InputEvent):
    """A payment was asked for; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentInitiated"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    creditor_account_id: Id
    amount_minor: Long
    currency: Currency
    payment_type: PaymentType
    reference: str
    channel: str | None = None
    device_id: str | None = None
    counterparty_country: str | None = None
    merchant_category: str | None = None


class PaymentReviewed(InputEvent):
    """A reviewer released or stopped a held payment; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentReviewed"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    approved: Flag
    reviewer: str
    reason: str


class PriceQuoted(InputEvent):
    """A price of an instrument; keyed by the instrument, read by every partition."""

    TOPIC: ClassVar[str] = "prices"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PriceQuoted"
    KEY_FIELD: ClassVar[str] = "instrument_id"

    instrument_id: Id
    price_e8: Long
    currency: Currency


class StatementClosed(InputEvent):
    """An external account statement is complete."""

    TOPIC: ClassVar[str] = "statements"
    RECORD_NAME: ClassVar[str] = "ledgerflow.StatementClosed"
    KEY_FIELD: ClassVar[str] = "account_id"

    statement_id: Id
    account_id: Id
    currency: Currency
    opening_balance_minor: Long
    closing_balance_minor: Long
    line_count: Long
    closed_at: Moment


class StatementLine(InputEvent):
    """One line of an external account statement."""

    TOPIC: ClassVar[str] = "statements"
    RECORD_NAME: ClassVar[str] = "ledgerflow.StatementLine"
    KEY_FIELD: ClassVar[str] = "account_id"

    statement_id: Id
    account_id: Id
    line_no: Long
    external_reference: str | None = None
    amount_minor: Long
    currency: Currency
    booked_at: Moment
    value_date: Day
    description: str


class TradeExecuted(InputEvent):
    """A trade was executed."""

    TOPIC: ClassVar[str] = "trades"
    RECORD_NAME: ClassVar[str] = "ledgerflow.TradeExecuted"
    KEY_FIELD: ClassVar[str] = "account_id"

    trade_id: Id
    account_id: Id
    instrument_id: Id
    side: TradeSide
    quantity_e8: Long
    price_e8: Long
    fee_minor: Long
    currency: Currency


class TradeSettled(InputEvent):
    """A trade was settled."""

    TOPIC: ClassVar[str] = "trades"
    RECORD_NAME: ClassVar[str] = "ledgerflow.TradeSettled"
    KEY_FIELD: ClassVar[str] = "account_id"

    trade_id: Id
    account_id: Id
    settled_at: Moment
