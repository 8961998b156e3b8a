# Written by `python -m pipeline.schema_models` from schemas/: do not edit.
"""The input events as pydantic models, for upstream systems written in Python: newest version of each.

    event = PaymentInitiated(tenant_id="acme", payment_id="p-1", ...)
    producer.produce(event.TOPIC, key=event.key(), value=serializer(event.to_avro(), ...))

Money is int minor units, quantities and prices int units of 1e-8.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pipeline.input_event import (
    ActorText,
    CreditorReference,
    Currency,
    Day,
    Flag,
    Id,
    InputEvent,
    InputPart,
    Int,
    Long,
    Metadata,
    Moment,
)


class ClosureReason(StrEnum):
    CUSTOMER_REQUEST = "customer_request"
    REGULATORY = "regulatory"
    FRAUD = "fraud"


class FreezeSide(StrEnum):
    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    BOTH = "BOTH"


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


class PostingSide(StrEnum):
    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class FraudLabel(StrEnum):
    FRAUD = "FRAUD"
    GENUINE = "GENUINE"


class LabelSource(StrEnum):
    CHARGEBACK = "CHARGEBACK"
    CUSTOMER = "CUSTOMER"
    REVIEW = "REVIEW"


class ModelRole(StrEnum):
    LIVE = "LIVE"
    SHADOW = "SHADOW"
    ANOMALY = "ANOMALY"


class LateEntry(StrEnum):
    REFUSE = "REFUSE"
    NEXT_PERIOD = "NEXT_PERIOD"


class MatchingRole(StrEnum):
    LIVE = "LIVE"
    SHADOW = "SHADOW"


class PaymentType(StrEnum):
    TRANSFER = "transfer"
    PAYMENT = "payment"
    WITHDRAWAL = "withdrawal"
    DEPOSIT = "deposit"


class TradeSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Actor(InputPart):
    """The person or program on whose behalf something is done."""

    issuer: ActorText
    subject: ActorText
    session_id: ActorText | None = None
    key_id: ActorText | None = None
    roles_version: ActorText | None = None


class JournalLeg(InputPart):
    """One leg of a journal."""

    leg_no: Int
    entry_no: Int
    account_id: Id
    side: PostingSide
    amount_minor: Long
    currency: Currency
    purpose: str | None = None
    rate_e8: Long | None = None


class LineRef(InputPart):
    """A line of a statement."""

    statement_id: Id
    line_no: Long
    line_id: str | None = None


class LegPart(InputPart):
    """How much of a leg."""

    leg_no: Int
    amount_minor: Long


class LegShare(InputPart):
    """What a leg takes of its entry in the place of an amount."""

    leg_no: Int
    share_ppm: Int | None = None


class LinkedPayment(InputPart):
    """One payment of a link."""

    payment_id: Id
    creditor_account_id: Id
    amount_minor: Long
    currency: Currency
    payment_type: PaymentType
    reference: str
    channel: str | None = None
    device_id: str | None = None
    counterparty_country: str | None = None
    merchant_category: str | None = None


class LinkOpening(InputPart):
    """The account of the debtor, opened together with its first payments or not at all."""

    customer_id: Id
    account_type: AccountType
    currency: Currency
    initial_balance_minor: Long
    overdraft_limit_minor: Long | None


class RequestedCommand(InputPart):
    """A command that a request asks for."""

    topic: str
    event: str
    event_id: Id
    key: str


class StatementDetail(InputPart):
    """One payment of a booking that is for several."""

    amount_minor: Long | None = None
    currency: Currency | None = None
    reference: str | None = None
    description: str | None = None
    counterparty: str | None = None


class AccountClosed(InputEvent):
    """An account was closed."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountClosed"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    reason: ClosureReason
    regulatory_notification_sent: Flag = False
    actor: Actor | None = None
    closure_reason: str | None = None
    notice_date: Day | None = None
    expected_sequence: Long | None = None


class AccountFrozen(InputEvent):
    """One side of an account, or both, takes nothing new."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountFrozen"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    side: FreezeSide
    reason: str
    actor: Actor | None = None
    until: Moment | None = None
    expected_sequence: Long | None = None


class AccountLimitSet(InputEvent):
    """The overdraft limit of an account was set."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountLimitSet"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    overdraft_limit_minor: Long | None
    minimum_balance_minor: Long | None = None
    maximum_balance_minor: Long | None = None
    effective_at: Moment | None = None
    actor: Actor | None = None
    expected_sequence: Long | None = None


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
    actor: Actor | None = None
    metadata: Metadata | None = None


class AccountReopened(InputEvent):
    """A closed account was opened again."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountReopened"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    reason: str
    actor: Actor | None = None


class AccountUnfrozen(InputEvent):
    """A frozen side of an account is free again."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.AccountUnfrozen"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    side: FreezeSide
    reason: str
    actor: Actor | None = None
    expected_sequence: Long | None = None


class PeriodClosed(InputEvent):
    """A tenant's books are closed up to a time; read by every partition."""

    TOPIC: ClassVar[str] = "accounts"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PeriodClosed"
    KEY_FIELD: ClassVar[str] = "period_id"

    period_id: Id
    closed_through: Moment
    actor: Actor | None = None


class ProposalApproved(InputEvent):
    """A second person approves a command that was proposed."""

    TOPIC: ClassVar[str] = "approvals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.ProposalApproved"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    proposal_id: str
    content_hash: str
    actor: Actor | None = None


class ProposalRejected(InputEvent):
    """A person rejects a command that was proposed, or its maker withdraws it."""

    TOPIC: ClassVar[str] = "approvals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.ProposalRejected"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    proposal_id: str
    content_hash: str
    reason: str
    actor: Actor | None = None


class BreakAssigned(InputEvent):
    """A person takes a break on, or gives it to another."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.BreakAssigned"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    assignee: str | None = None
    actor: Actor | None = None


class BreakCommented(InputEvent):
    """What a person has found out about a break."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.BreakCommented"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    text: str
    actor: Actor | None = None


class BreakDisputed(InputEvent):
    """The bank, or whoever has sent it, was asked about a break."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.BreakDisputed"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    reason: str
    actor: Actor | None = None


class BreakReopened(InputEvent):
    """A break is to be worked on again: its dispute is over, or it was accepted by mistake."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.BreakReopened"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    reason: str
    actor: Actor | None = None


class BreakWrittenOff(InputEvent):
    """A break is to be accepted as it is, its amount written off; a second person approves it."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.BreakWrittenOff"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    reason: str
    actor: Actor | None = None


class CorrectionApproved(InputEvent):
    """A second person approves a correction: its journal goes to the ledger."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.CorrectionApproved"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    correction_id: str
    actor: Actor | None = None


class CorrectionRejected(InputEvent):
    """A person rejects a correction, or its maker withdraws it."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.CorrectionRejected"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    correction_id: str
    reason: str
    actor: Actor | None = None


class CorrectionSuggested(InputEvent):
    """A journal that would explain a break; a second person approves it."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.CorrectionSuggested"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    break_id: Id
    legs: tuple[JournalLeg, ...]
    reference: str
    reason: str
    reverses: str | None = None
    actor: Actor | None = None


class MatchConfirmed(InputEvent):
    """A person says that lines and postings are one thing."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.MatchConfirmed"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    lines: tuple[LineRef, ...]
    posting_ids: tuple[str, ...]
    reason: str | None = None
    actor: Actor | None = None


class MatchRejected(InputEvent):
    """A person says that lines and postings are not one thing: they are not suggested again."""

    TOPIC: ClassVar[str] = "break-actions"
    RECORD_NAME: ClassVar[str] = "ledgerflow.MatchRejected"
    KEY_FIELD: ClassVar[str] = "account_id"

    account_id: Id
    lines: tuple[LineRef, ...]
    posting_ids: tuple[str, ...]
    reason: str | None = None
    actor: Actor | None = None


class PaymentLabelled(InputEvent):
    """What a payment turned out to be; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "fraud-labels"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentLabelled"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    creditor_account_id: Id
    label: FraudLabel
    source: LabelSource
    labelled_at: Moment
    actor: Actor | None = None


class FraudListPartPublished(InputEvent):
    """Entries of a list of fraud rules; comes before the set that names the list."""

    TOPIC: ClassVar[str] = "fraud-rules"
    RECORD_NAME: ClassVar[str] = "ledgerflow.FraudListPartPublished"
    KEY_FIELD: ClassVar[str] = "tenant_id"

    list_sha256: str
    number: Int
    part: str
    actor: Actor | None = None


class FraudModelPartPublished(InputEvent):
    """Bytes of a fraud model; all parts come before the event that puts it into use."""

    TOPIC: ClassVar[str] = "fraud-rules"
    RECORD_NAME: ClassVar[str] = "ledgerflow.FraudModelPartPublished"
    KEY_FIELD: ClassVar[str] = "tenant_id"

    model_sha256: str
    number: Int
    part: str
    actor: Actor | None = None


class FraudModelPublished(InputEvent):
    """A fraud model is put into use, or taken out of it; read by every partition."""

    TOPIC: ClassVar[str] = "fraud-rules"
    RECORD_NAME: ClassVar[str] = "ledgerflow.FraudModelPublished"
    KEY_FIELD: ClassVar[str] = "tenant_id"

    role: ModelRole
    model_sha256: str | None = None
    parts: Int
    of_tenant: str | None = None
    effective_from: Moment
    catalogue_version: str
    actor: Actor | None = None


class FraudRulesPublished(InputEvent):
    """A version of a set of fraud rules; read by every partition."""

    TOPIC: ClassVar[str] = "fraud-rules"
    RECORD_NAME: ClassVar[str] = "ledgerflow.FraudRulesPublished"
    KEY_FIELD: ClassVar[str] = "tenant_id"

    set_id: Id
    version: Long
    of_tenant: str | None = None
    effective_from: Moment
    sha256: str
    catalogue_version: str
    head: str
    parts: Int
    actor: Actor | None = None


class JournalConfirmed(InputEvent):
    """All legs of a held journal are to be posted."""

    TOPIC: ClassVar[str] = "journals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.JournalConfirmed"
    KEY_FIELD: ClassVar[str] = "account_id"

    journal_id: Id
    account_id: Id
    actor: Actor | None = None
    confirmation_id: Id | None = None
    legs: tuple[LegPart, ...] | None = None
    final: Flag | None = None
    expected_sequence: Long | None = None


class JournalReversed(InputEvent):
    """A posted journal is to be taken back, in whole or in part."""

    TOPIC: ClassVar[str] = "journals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.JournalReversed"
    KEY_FIELD: ClassVar[str] = "account_id"

    journal_id: Id
    account_id: Id
    reversal_id: Id
    legs: tuple[JournalLeg, ...]
    reason: str
    effective_at: Moment | None = None
    late: LateEntry
    actor: Actor | None = None
    expected_sequence: Long | None = None


class JournalSubmitted(InputEvent):
    """An entry, or several, of two legs or more: all of them or none."""

    TOPIC: ClassVar[str] = "journals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.JournalSubmitted"
    KEY_FIELD: ClassVar[str] = "account_id"

    journal_id: Id
    account_id: Id
    legs: tuple[JournalLeg, ...]
    reference: str
    reason: str | None = None
    effective_at: Moment | None = None
    late: LateEntry
    hold_expires_at: Moment | None = None
    actor: Actor | None = None
    metadata: Metadata | None = None
    expected_sequence: Long | None = None
    hold: Flag | None = None
    needs_approval: Flag | None = None
    execute_at: Moment | None = None
    shares: tuple[LegShare, ...] | None = None


class JournalVoided(InputEvent):
    """All legs of a held journal are to be released."""

    TOPIC: ClassVar[str] = "journals"
    RECORD_NAME: ClassVar[str] = "ledgerflow.JournalVoided"
    KEY_FIELD: ClassVar[str] = "account_id"

    journal_id: Id
    account_id: Id
    reason: str
    actor: Actor | None = None
    expected_sequence: Long | None = None


class MatchingWeightsPublished(InputEvent):
    """Weights of matching; read by every partition."""

    TOPIC: ClassVar[str] = "matching-rules"
    RECORD_NAME: ClassVar[str] = "ledgerflow.MatchingWeightsPublished"
    KEY_FIELD: ClassVar[str] = "tenant_id"

    role: MatchingRole
    of_tenant: str | None = None
    weights: str | None = None
    sha256: str | None = None
    effective_from: Moment
    actor: Actor | None = None


class PaymentCancelled(InputEvent):
    """A payment is to be cancelled if it has not been settled; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentCancelled"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    reason: str
    actor: Actor | None = None
    expected_sequence: Long | None = None
    link_id: Id | None = None


class PaymentCaptured(InputEvent):
    """A part of a hold, or what is left of it, is to be posted; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentCaptured"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    capture_id: Id
    amount_minor: Long | None = None
    final: Flag
    actor: Actor | None = None
    expected_sequence: Long | None = None


class PaymentExtended(InputEvent):
    """A hold is to last longer; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentExtended"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    hold_expires_at: Moment
    actor: Actor | None = None
    expected_sequence: Long | None = None


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
    creditor_reference: CreditorReference | None = None
    remittance_text: str | None = None
    hold_expires_at: Moment | None = None
    actor: Actor | None = None
    metadata: Metadata | None = None
    compliance_score: Int | None = None
    fees_charged_minor: Long | None = None
    exchange_rate_e8: Long | None = None
    settlement_date: Day | None = None
    regulatory_reporting_required: Flag | None = None
    expected_sequence: Long | None = None
    hold: Flag | None = None
    balancing: Flag | None = None
    creditor_currency: Currency | None = None
    rate_e8: Long | None = None
    capture_tolerance_bp: Int | None = None
    execute_at: Moment | None = None


class PaymentReversed(InputEvent):
    """A settled payment is to be taken back; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentReversed"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    payment_id: Id
    debtor_account_id: Id
    reversal_id: Id
    amount_minor: Long | None = None
    reason: str
    actor: Actor | None = None
    expected_sequence: Long | None = None


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
    actor: Actor | None = None
    expected_sequence: Long | None = None
    link_id: Id | None = None


class PaymentsLinked(InputEvent):
    """Several payments of one debtor: all of them or none; keyed by the debtor's account."""

    TOPIC: ClassVar[str] = "payments"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PaymentsLinked"
    KEY_FIELD: ClassVar[str] = "debtor_account_id"

    link_id: Id
    debtor_account_id: Id
    payments: tuple[LinkedPayment, ...]
    open_account: LinkOpening | None = None
    actor: Actor | None = None
    metadata: Metadata | None = None
    expected_sequence: Long | None = None


class PriceQuoted(InputEvent):
    """A price of an instrument; keyed by the instrument, read by every partition."""

    TOPIC: ClassVar[str] = "prices"
    RECORD_NAME: ClassVar[str] = "ledgerflow.PriceQuoted"
    KEY_FIELD: ClassVar[str] = "instrument_id"

    instrument_id: Id
    price_e8: Long
    currency: Currency
    actor: Actor | None = None


class RateQuoted(InputEvent):
    """A rate between two currencies; keyed by the base currency, read by every partition."""

    TOPIC: ClassVar[str] = "rates"
    RECORD_NAME: ClassVar[str] = "ledgerflow.RateQuoted"
    KEY_FIELD: ClassVar[str] = "base_currency"

    base_currency: Currency
    quote_currency: Currency
    rate_e8: Long
    effective_from: Moment
    actor: Actor | None = None


class RequestClaimed(InputEvent):
    """A request came in at the gateway, which asks whether it is the first of its id."""

    TOPIC: ClassVar[str] = "requests"
    RECORD_NAME: ClassVar[str] = "ledgerflow.RequestClaimed"
    KEY_FIELD: ClassVar[str] = "request_id"

    request_id: Id
    content_hash: str
    commands: tuple[RequestedCommand, ...]
    actor: Actor | None = None


class RequestSent(InputEvent):
    """All commands of a request are in the log."""

    TOPIC: ClassVar[str] = "requests"
    RECORD_NAME: ClassVar[str] = "ledgerflow.RequestSent"
    KEY_FIELD: ClassVar[str] = "request_id"

    request_id: Id
    content_hash: str
    actor: Actor | None = None


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
    actor: Actor | None = None
    sequence_no: Long | None = None
    from_at: Moment | None = None
    page: Long | None = None


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
    actor: Actor | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    transaction_code: str | None = None
    is_reversal: Flag | None = None
    entry_kind: str | None = None
    original_amount_minor: Long | None = None
    original_currency: Currency | None = None
    fee_minor: Long | None = None
    details: tuple[StatementDetail, ...] | None = None


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
    actor: Actor | None = None


class TradeSettled(InputEvent):
    """A trade was settled."""

    TOPIC: ClassVar[str] = "trades"
    RECORD_NAME: ClassVar[str] = "ledgerflow.TradeSettled"
    KEY_FIELD: ClassVar[str] = "account_id"

    trade_id: Id
    account_id: Id
    settled_at: Moment
    actor: Actor | None = None
