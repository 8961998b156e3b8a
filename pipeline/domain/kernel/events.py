# Written by `python -m pipeline.schema_models` from schemas/: do not edit.
"""The events as the domain sees them: one frozen Struct per event, newest version, fields in schema order.

Times are int microseconds UTC, dates int days since 1970-01-01, money int minor units, enums their symbols.
Where an event's records belong stands with its class, as its topic declares it: see `kernel.routing`.
`EVENTS` finds a class by its full Avro record name.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

ClosureReason = Literal["customer_request", "regulatory", "fraud"]
FreezeSide = Literal["DEBIT", "CREDIT", "BOTH"]
AccountType = Literal["checking", "savings", "investment", "merchant", "nostro", "internal"]
RegulatoryTier = Literal["retail", "professional", "institutional"]
AccountStatus = Literal["OPEN", "CLOSED", "UNSPECIFIED"]
FrozenSide = Literal["NONE", "DEBIT", "CREDIT", "BOTH", "UNSPECIFIED"]
PostingSide = Literal["DEBIT", "CREDIT"]
DecisionOutcome = Literal["APPROVE", "REVIEW", "DECLINE"]
FraudLabel = Literal["FRAUD", "GENUINE"]
LabelSource = Literal["CHARGEBACK", "CUSTOMER", "REVIEW"]
ModelRole = Literal["LIVE", "SHADOW", "ANOMALY"]
Invariant = Literal[
    "zero_sum",
    "sequence",
    "balance",
    "held",
    "entry_once",
    "clearing",
    "applied",
    "table",
    "settled_unscreened",
    "unspecified",
]
JournalState = Literal[
    "PREPARING",
    "HELD",
    "POSTED",
    "REFUSED",
    "VOIDED",
    "EXPIRED",
    "SCHEDULED",
    "UNSPECIFIED",
]
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
    "debtor_frozen",
    "creditor_frozen",
    "maximum_balance_exceeded",
    "account_not_frozen",
    "account_not_closed",
    "payment_not_authorised",
    "payment_under_review",
    "exceeds_held_amount",
    "exceeds_settled_amount",
    "too_many_captures",
    "expiry_not_later",
    "not_settled",
    "invalid_legs",
    "legs_not_balanced",
    "journal_not_found",
    "journal_not_held",
    "period_closed",
    "quota_exceeded",
    "tenant_closed",
    "currency_not_allowed",
    "exists_with_different_hold",
    "exists_with_different_final",
    "exists_with_different_target",
    "exists_with_different_expiry",
    "exists_with_different_legs",
    "exists_with_different_reference",
    "exists_with_different_reason",
    "exists_with_different_type",
    "exists_with_different_effective_time",
    "exists_with_different_late_rule",
    "not_yet",
    "exists_with_different_limit",
    "exists_with_different_metadata",
    "sequence_mismatch",
    "too_many_holds",
    "limit_superseded",
    "actor_required",
    "person_required",
    "awaits_approval",
    "too_many_proposals",
    "proposal_too_large",
    "proposal_not_found",
    "proposal_changed",
    "proposal_expired",
    "already_decided",
    "programs_cannot_approve",
    "maker_cannot_approve",
    "back_dated",
    "rate_not_found",
    "rate_too_old",
    "rate_out_of_tolerance",
    "invalid_rate",
    "exists_with_different_rate",
    "exists_with_different_execution_time",
    "payment_scheduled",
    "too_many_scheduled",
    "too_far_ahead",
    "invalid_link",
    "linked_payment_failed",
    "link_mismatch",
    "debtor_exists",
    "invalid_opening",
    "exists_with_different_link",
    "exists_with_different_opening",
    "exists_with_different_payments",
    "unspecified",
]
LateEntry = Literal["REFUSE", "NEXT_PERIOD"]
PaymentType = Literal["transfer", "payment", "withdrawal", "deposit"]
MatchingRole = Literal["LIVE", "SHADOW"]
OperatorAction = Literal[
    "QUARANTINED",
    "LOSS_ACCEPTED",
    "LETTER_REDRIVEN",
    "LETTER_DISCARDED",
    "TRANSACTION_ABORTED",
    "TOPIC_REPAIRED",
    "OFFSETS_ADOPTED",
    "UNSPECIFIED",
]
PaymentWait = Literal["ledger", "settlement", "review", "capture", "execution", "unspecified"]
ProposalOutcome = Literal["APPROVED", "REJECTED", "EXPIRED", "UNSPECIFIED"]
HoldChange = Literal["PLACED", "RELEASED", "UNSPECIFIED"]
JournalAnswer = Literal["REFUSED", "AWAITS_APPROVAL", "UNSPECIFIED"]
BreakActionCode = Literal[
    "exists",
    "break_not_found",
    "break_ended",
    "actor_required",
    "correction_pending",
    "correction_posted",
    "correction_not_found",
    "already_decided",
    "maker_cannot_approve",
    "programs_cannot_approve",
    "nothing_to_correct",
    "correction_does_not_explain",
    "invalid_legs",
    "legs_not_balanced",
    "write_off_account_missing",
    "not_disputed",
    "already_disputed",
    "too_many_actions",
    "too_old",
    "item_not_found",
    "already_matched",
    "match_not_found",
    "unspecified",
]
BreakChange = Literal[
    "ASSIGNED",
    "COMMENTED",
    "DISPUTED",
    "REOPENED",
    "CORRECTION_SUGGESTED",
    "CORRECTION_REJECTED",
    "CORRECTION_APPROVED",
    "AWAITS_APPROVAL",
    "CORRECTION_REFUSED",
    "CORRECTION_POSTED",
    "CORRECTION_TAKEN_BACK",
    "WRITTEN_OFF",
    "MATCHED",
    "UNMATCHED",
    "UNSPECIFIED",
]
BreakStatus = Literal[
    "OPEN",
    "ASSIGNED",
    "DISPUTED",
    "CORRECTION_SUGGESTED",
    "CORRECTION_APPROVED",
    "WRITTEN_OFF",
    "RESOLVED",
    "REOPENED",
    "UNSPECIFIED",
]
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
MatchTier = Literal[
    "REFERENCE",
    "AMOUNT_DATE",
    "SCORED",
    "GROUP",
    "REVERSAL",
    "CORRECTION",
    "PERSON",
    "UNSPECIFIED",
]
RequestAnswer = Literal["ACCEPTED", "REPEATED", "CONFLICT", "UNSPECIFIED"]
TradeSide = Literal["BUY", "SELL"]


class Actor(msgspec.Struct, frozen=True, gc=False):
    """The person or program on whose behalf something is done."""

    issuer: str
    subject: str
    session_id: str | None = None
    key_id: str | None = None
    roles_version: str | None = None


class JournalLeg(msgspec.Struct, frozen=True, gc=False):
    """One leg of a journal."""

    leg_no: int
    entry_no: int
    account_id: str
    side: str
    amount_minor: int
    currency: str
    purpose: str | None = None
    rate_e8: int | None = None


class LineRef(msgspec.Struct, frozen=True, gc=False):
    """A line of a statement."""

    statement_id: str
    line_no: int
    line_id: str | None = None


class FraudReason(msgspec.Struct, frozen=True, gc=False):
    """One rule that fired, and the values behind it."""

    rule: str
    detail: str


class FeatureDrift(msgspec.Struct, frozen=True, gc=False):
    """How far a feature of payments, or the score, has moved."""

    feature: str
    psi_bp: int


class MoneyOrigin(msgspec.Struct, frozen=True, gc=False):
    """An account that money came from."""

    account: int
    hops: int


class LegPart(msgspec.Struct, frozen=True, gc=False):
    """How much of a leg."""

    leg_no: int
    amount_minor: int


class LegShare(msgspec.Struct, frozen=True, gc=False):
    """What a leg takes of its entry in the place of an amount."""

    leg_no: int
    share_ppm: int | None = None


class LegPayment(msgspec.Struct, frozen=True, gc=False):
    """The payment of a link that a leg is of."""

    leg_no: int
    payment_id: str
    reference: str


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """What one payment, or a part of it, is in both of its currencies, and by which rate."""

    debtor_amount_minor: int
    debtor_currency: str
    creditor_amount_minor: int
    creditor_currency: str
    rate_e8: int
    rate_currency: str
    rate_event_id: str | None = None


class DecidedPayment(msgspec.Struct, frozen=True, gc=False):
    """One payment of a link, and what the fraud rules say of it."""

    payment_id: str
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


class LinkOpening(msgspec.Struct, frozen=True, gc=False):
    """The account of the debtor, opened together with its first payments or not at all."""

    customer_id: str
    account_type: str
    currency: str
    initial_balance_minor: int
    overdraft_limit_minor: int | None


class LinkedPayment(msgspec.Struct, frozen=True, gc=False):
    """One payment of a link."""

    payment_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    payment_type: str
    reference: str
    channel: str | None = None
    device_id: str | None = None
    counterparty_country: str | None = None
    merchant_category: str | None = None


class ScorePart(msgspec.Struct, frozen=True, gc=False):
    """What one feature adds to a score."""

    name: str
    score: int


class MatchCandidate(msgspec.Struct, frozen=True, gc=False):
    """What may belong to an item."""

    lines: tuple[LineRef, ...]
    posting_ids: tuple[str, ...]
    score: int
    parts: tuple[ScorePart, ...]


class RequestedCommand(msgspec.Struct, frozen=True, gc=False):
    """A command that a request asks for."""

    topic: str
    event: str
    event_id: str
    key: str


class StatementDetail(msgspec.Struct, frozen=True, gc=False):
    """One payment of a booking that is for several."""

    amount_minor: int | None = None
    currency: str | None = None
    reference: str | None = None
    description: str | None = None
    counterparty: str | None = None


class AccessRecorded(msgspec.Struct, frozen=True, gc=False):
    """Somebody asked the gateway for something: a command, or data of a tenant."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    request_id: str
    permission: str
    method: str
    target: str
    status: int
    code: str
    address: str
    reason: str | None = None
    actor: Actor | None = None


class AccountClosed(msgspec.Struct, frozen=True, gc=False):
    """An account was closed."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    reason: str
    regulatory_notification_sent: bool = False
    actor: Actor | None = None
    closure_reason: str | None = None
    notice_date: int | None = None
    expected_sequence: int | None = None


class AccountFrozen(msgspec.Struct, frozen=True, gc=False):
    """One side of an account, or both, takes nothing new."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    side: str
    reason: str
    actor: Actor | None = None
    until: int | None = None
    expected_sequence: int | None = None


class AccountLimitSet(msgspec.Struct, frozen=True, gc=False):
    """The overdraft limit of an account was set."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    overdraft_limit_minor: int | None
    minimum_balance_minor: int | None = None
    maximum_balance_minor: int | None = None
    effective_at: int | None = None
    actor: Actor | None = None
    expected_sequence: int | None = None


class AccountOpened(msgspec.Struct, frozen=True, gc=False):
    """An account was opened."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

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
    regulatory_tier: str = "retail"
    compliance_flags: tuple[str, ...] = ()
    overdraft_limit_minor: int | None = 0
    actor: Actor | None = None
    metadata: dict[str, str] | None = None


class AccountReopened(msgspec.Struct, frozen=True, gc=False):
    """A closed account was opened again."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    reason: str
    actor: Actor | None = None


class AccountUnfrozen(msgspec.Struct, frozen=True, gc=False):
    """A frozen side of an account is free again."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    side: str
    reason: str
    actor: Actor | None = None
    expected_sequence: int | None = None


class PeriodClosed(msgspec.Struct, frozen=True, gc=False):
    """A tenant's books are closed up to a time; read by every partition."""

    KEY_FIELD: ClassVar[str] = "period_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("period_id",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    period_id: str
    closed_through: int
    actor: Actor | None = None


class ProposalApproved(msgspec.Struct, frozen=True, gc=False):
    """A second person approves a command that was proposed."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "proposal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    proposal_id: str
    content_hash: str
    actor: Actor | None = None


class ProposalRejected(msgspec.Struct, frozen=True, gc=False):
    """A person rejects a command that was proposed, or its maker withdraws it."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "proposal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    proposal_id: str
    content_hash: str
    reason: str
    actor: Actor | None = None


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
    minimum_balance_minor: int | None = None
    maximum_balance_minor: int | None = None
    frozen: str = "NONE"


class BreakAssigned(msgspec.Struct, frozen=True, gc=False):
    """A person takes a break on, or gives it to another."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    assignee: str | None = None
    actor: Actor | None = None


class BreakCommented(msgspec.Struct, frozen=True, gc=False):
    """What a person has found out about a break."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    text: str
    actor: Actor | None = None


class BreakDisputed(msgspec.Struct, frozen=True, gc=False):
    """The bank, or whoever has sent it, was asked about a break."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    reason: str
    actor: Actor | None = None


class BreakReopened(msgspec.Struct, frozen=True, gc=False):
    """A break is to be worked on again: its dispute is over, or it was accepted by mistake."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    reason: str
    actor: Actor | None = None


class BreakWrittenOff(msgspec.Struct, frozen=True, gc=False):
    """A break is to be accepted as it is, its amount written off; a second person approves it."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    reason: str
    actor: Actor | None = None


class CorrectionApproved(msgspec.Struct, frozen=True, gc=False):
    """A second person approves a correction: its journal goes to the ledger."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    correction_id: str
    actor: Actor | None = None


class CorrectionRejected(msgspec.Struct, frozen=True, gc=False):
    """A person rejects a correction, or its maker withdraws it."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    correction_id: str
    reason: str
    actor: Actor | None = None


class CorrectionSuggested(msgspec.Struct, frozen=True, gc=False):
    """A journal that would explain a break; a second person approves it."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "break_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    legs: tuple[JournalLeg, ...]
    reference: str
    reason: str
    reverses: str | None = None
    actor: Actor | None = None


class MatchConfirmed(msgspec.Struct, frozen=True, gc=False):
    """A person says that lines and postings are one thing."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    lines: tuple[LineRef, ...]
    posting_ids: tuple[str, ...]
    reason: str | None = None
    actor: Actor | None = None


class MatchRejected(msgspec.Struct, frozen=True, gc=False):
    """A person says that lines and postings are not one thing: they are not suggested again."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    lines: tuple[LineRef, ...]
    posting_ids: tuple[str, ...]
    reason: str | None = None
    actor: Actor | None = None


class ClearingCounted(msgspec.Struct, frozen=True, gc=False):
    """What has gone through a clearing account in one hour of the day, from the beginning of the journal."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    currency: str
    branch: int
    hour: int
    debits: int
    debits_minor: int
    credits: int
    credits_minor: int


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


class FraudModelDrifted(msgspec.Struct, frozen=True, gc=False):
    """Payments of a day are spread otherwise than those that the live model was made of."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    model_sha256: str
    partition: int
    day: int
    payments: int
    drifted: tuple[FeatureDrift, ...]


class BranchTicked(msgspec.Struct, frozen=True, gc=False):
    """All that had come for a branch by this time is read: its event time is not earlier."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)
    STAYS_ON_BRANCH: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    branch: int


class FundsReceived(msgspec.Struct, frozen=True, gc=False):
    """An account was paid, and where the money was before; goes to the account's partition."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "payment_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    account_id: str
    payer_account_id: str
    amount_minor: int
    currency: str
    received_at: int
    origins: tuple[MoneyOrigin, ...]


class PayeeFraudConfirmed(msgspec.Struct, frozen=True, gc=False):
    """A payment to an account is labelled; goes to the partition of the account."""

    KEY_FIELD: ClassVar[str] = "creditor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("creditor_account_id", "payment_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    creditor_account_id: str
    debtor_account_id: str
    paid_at: int
    label: str
    labelled_at: int


class PayeeRiskChanged(msgspec.Struct, frozen=True, gc=False):
    """What is known of an account that is paid: its card; read by every partition."""

    KEY_FIELD: ClassVar[str] = "payee_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("payee_account_id",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payee_account_id: str
    as_of: int
    card: str


class PaymentLabelled(msgspec.Struct, frozen=True, gc=False):
    """What a payment turned out to be; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    creditor_account_id: str
    label: str
    source: str
    labelled_at: int
    actor: Actor | None = None


class FraudListPartPublished(msgspec.Struct, frozen=True, gc=False):
    """Entries of a list of fraud rules; comes before the set that names the list."""

    KEY_FIELD: ClassVar[str] = "tenant_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("list_sha256",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    list_sha256: str
    number: int
    part: str
    actor: Actor | None = None


class FraudModelPartPublished(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a fraud model; all parts come before the event that puts it into use."""

    KEY_FIELD: ClassVar[str] = "tenant_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("model_sha256",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    model_sha256: str
    number: int
    part: str
    actor: Actor | None = None


class FraudModelPublished(msgspec.Struct, frozen=True, gc=False):
    """A fraud model is put into use, or taken out of it; read by every partition."""

    KEY_FIELD: ClassVar[str] = "tenant_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("role",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    role: str
    model_sha256: str | None
    parts: int
    of_tenant: str | None
    effective_from: int
    catalogue_version: str
    actor: Actor | None = None


class FraudRulesPublished(msgspec.Struct, frozen=True, gc=False):
    """A version of a set of fraud rules; read by every partition."""

    KEY_FIELD: ClassVar[str] = "tenant_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("set_id",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    set_id: str
    version: int
    of_tenant: str | None
    effective_from: int
    sha256: str
    catalogue_version: str
    head: str
    parts: int
    actor: Actor | None = None


class PastOverdrawn(msgspec.Struct, frozen=True, gc=False):
    """A back-dated debit has left its account below its limit in the past, or may have (`checked`)."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    currency: str
    posting_id: str
    payment_id: str | None
    amount_minor: int
    effective_at: int
    lowest_balance_minor: int
    checked: bool
    lowest_at: int | None = None
    balance_minor: int | None = None
    short_minor: int | None = None


class InvariantBroken(msgspec.Struct, frozen=True, gc=False):
    """The books contradict themselves: something that must always hold was found not to."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    invariant: str
    account_id: str | None
    currency: str | None
    entry_id: str | None
    expected: str
    found: str
    topic: str
    partition: int
    offset: int


class JournalUpdated(msgspec.Struct, frozen=True, gc=False):
    """What has become of a journal."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    state: str
    code: str
    leg_no: int | None
    reverses: str | None
    legs: int
    actor: Actor | None = None
    account_sequence: int | None = None
    approved_by: str | None = None
    confirmation_id: str | None = None
    execute_at: int | None = None


class JournalConfirmed(msgspec.Struct, frozen=True, gc=False):
    """All legs of a held journal are to be posted."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id", "confirmation_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    actor: Actor | None = None
    confirmation_id: str | None = None
    legs: tuple[LegPart, ...] | None = None
    final: bool | None = None
    expected_sequence: int | None = None


class JournalReversed(msgspec.Struct, frozen=True, gc=False):
    """A posted journal is to be taken back, in whole or in part."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id", "reversal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    reversal_id: str
    legs: tuple[JournalLeg, ...]
    reason: str
    effective_at: int | None
    late: str
    actor: Actor | None = None
    expected_sequence: int | None = None


class JournalSubmitted(msgspec.Struct, frozen=True, gc=False):
    """An entry, or several, of two legs or more: all of them or none."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    legs: tuple[JournalLeg, ...]
    reference: str
    reason: str | None
    effective_at: int | None
    late: str
    hold_expires_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    expected_sequence: int | None = None
    hold: bool | None = None
    needs_approval: bool | None = None
    execute_at: int | None = None
    shares: tuple[LegShare, ...] | None = None


class JournalVoided(msgspec.Struct, frozen=True, gc=False):
    """All legs of a held journal are to be released."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    reason: str
    actor: Actor | None = None
    expected_sequence: int | None = None


class JournalLegsAnswered(msgspec.Struct, frozen=True, gc=False):
    """A branch holds its legs of a journal, or does not; keyed by the journal's account."""

    KEY_FIELD: ClassVar[str] = "home_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("home_account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    home_account_id: str
    branch: int
    code: str
    leg_no: int | None = None
    actor: Actor | None = None
    approved_by: str | None = None


class JournalLegsEnded(msgspec.Struct, frozen=True, gc=False):
    """The legs that a branch holds are to be posted or released; keyed by an account there."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    home_account_id: str
    posted: bool
    reference: str
    reason: str | None = None
    reverses: str | None = None
    effective_at: int | None = None
    asked_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    approved_by: str | None = None
    legs: tuple[LegPart, ...] | None = None
    final: bool | None = None


class JournalLegsRequested(msgspec.Struct, frozen=True, gc=False):
    """The branch of a journal asks another to hold its legs; keyed by an account there."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    journal_id: str
    account_id: str
    home_account_id: str
    legs: tuple[JournalLeg, ...]
    actor: Actor | None = None
    approved_by: str | None = None
    payments: tuple[LegPayment, ...] = ()
    room_for: tuple[int, ...] | None = None


class LegPosted(msgspec.Struct, frozen=True, gc=False):
    """The creditor's partition has booked the leg; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    effective_at: int | None = None
    asked_at: int | None = None
    actor: Actor | None = None
    approved_by: str | None = None


class LegRefused(msgspec.Struct, frozen=True, gc=False):
    """The creditor's partition has refused the leg; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    approved_by: str | None = None


class LegRequested(msgspec.Struct, frozen=True, gc=False):
    """The debtor's partition asks the creditor's to book its leg; keyed by the creditor's account."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    effective_at: int | None = None
    asked_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    approved_by: str | None = None
    exchange: Exchange | None = None


class PaymentDecided(msgspec.Struct, frozen=True, gc=False):
    """What the fraud rules say of a payment, with the payment itself; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    hold_expires_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    expected_sequence: int | None = None
    hold: bool | None = None
    balancing: bool | None = None
    creditor_currency: str | None = None
    rate_e8: int | None = None
    capture_tolerance_bp: int | None = None
    execute_at: int | None = None


class PaymentsLinkDecided(msgspec.Struct, frozen=True, gc=False):
    """What the fraud rules say of linked payments, with the payments; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "link_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    link_id: str
    debtor_account_id: str
    payments: tuple[DecidedPayment, ...]
    rules_version: str
    open_account: LinkOpening | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    expected_sequence: int | None = None


class MatchingWeightsPublished(msgspec.Struct, frozen=True, gc=False):
    """Weights of matching; read by every partition."""

    KEY_FIELD: ClassVar[str] = "tenant_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("role",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    role: str
    of_tenant: str | None
    weights: str | None
    sha256: str | None
    effective_from: int
    actor: Actor | None = None


class FaultFound(msgspec.Struct, frozen=True, gc=False):
    """Something around the streams is wrong, and a person has to look at it."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    code: str
    subject: str
    topic: str | None
    partition: int | None
    offset: int | None
    found: str
    worker: str


class OperatorActed(msgspec.Struct, frozen=True, gc=False):
    """A person decided something about a fault. Workers, rebuild and verify read it."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    action: str
    operator: str
    reason: str
    topic: str
    partition: int
    first_offset: int
    end_offset: int
    subject: str | None = None


class PaymentResumed(msgspec.Struct, frozen=True, gc=False):
    """A payment that was stuck has got on, or ended."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    stuck_id: str


class PaymentStuck(msgspec.Struct, frozen=True, gc=False):
    """The payment has not got on for longer than it may; occurred_at is when that was."""

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
    waiting_for: str
    progressed_at: int


class CommandProposed(msgspec.Struct, frozen=True, gc=False):
    """A command waits for a second person: nothing is done yet."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    command: str
    account_id: str
    proposal_id: str
    content_hash: str
    expires_at: int
    payment_id: str | None = None
    journal_id: str | None = None
    reversal_id: str | None = None
    actor: Actor | None = None


class CommandRefused(msgspec.Struct, frozen=True, gc=False):
    """A command other than a payment was refused, and why."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    command: str
    account_id: str
    payment_id: str | None
    code: str
    capture_id: str | None = None
    journal_id: str | None = None
    reversal_id: str | None = None
    actor: Actor | None = None
    account_sequence: int | None = None
    approved_by: str | None = None
    confirmation_id: str | None = None
    execute_at: int | None = None
    link_id: str | None = None


class PaymentCancelledOutcome(msgspec.Struct, frozen=True, gc=False):
    """The payment was cancelled and its hold released."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    execute_at: int | None = None


class PaymentCapturedOutcome(msgspec.Struct, frozen=True, gc=False):
    """A part of what was held is booked on both accounts."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    capture_id: str
    captured_minor: int
    held_minor: int
    code: str
    actor: Actor | None = None
    exchange: Exchange | None = None


class PaymentExpired(msgspec.Struct, frozen=True, gc=False):
    """The hold of the payment ran out and was released."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None


class PaymentExtendedOutcome(msgspec.Struct, frozen=True, gc=False):
    """The hold of the payment lasts longer."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    hold_expires_at: int
    code: str
    actor: Actor | None = None


class PaymentFailed(msgspec.Struct, frozen=True, gc=False):
    """The payment was held, then released."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    approved_by: str | None = None


class PaymentRejected(msgspec.Struct, frozen=True, gc=False):
    """The payment was refused; nothing was booked."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    account_sequence: int | None = None


class PaymentReserved(msgspec.Struct, frozen=True, gc=False):
    """The amount is held on the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    exchange: Exchange | None = None


class PaymentScheduled(msgspec.Struct, frozen=True, gc=False):
    """The payment waits until its time; then it is screened and executed."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    execute_at: int
    hold_expires_at: int | None = None
    actor: Actor | None = None
    hold: bool | None = None


class PaymentScreened(msgspec.Struct, frozen=True, gc=False):
    """The fraud stream has decided on the payment, the ledger is next: where its life begins."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    outcome: str
    decision_id: str
    hold_expires_at: int | None = None
    actor: Actor | None = None
    hold: bool | None = None
    link_id: str | None = None


class PaymentSettled(msgspec.Struct, frozen=True, gc=False):
    """The payment is booked on both accounts."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    approved_by: str | None = None
    exchange: Exchange | None = None


class ProposalDecided(msgspec.Struct, frozen=True, gc=False):
    """A proposal was approved or rejected, or nobody has decided it in time."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    command: str
    account_id: str
    proposal_id: str
    content_hash: str
    outcome: str
    proposed_by: str
    reason: str | None = None
    payment_id: str | None = None
    actor: Actor | None = None


class PaymentCancelled(msgspec.Struct, frozen=True, gc=False):
    """A payment is to be cancelled if it has not been settled; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    reason: str
    actor: Actor | None = None
    expected_sequence: int | None = None
    link_id: str | None = None


class PaymentCaptured(msgspec.Struct, frozen=True, gc=False):
    """A part of a hold, or what is left of it, is to be posted; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id", "capture_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    capture_id: str
    amount_minor: int | None
    final: bool
    actor: Actor | None = None
    expected_sequence: int | None = None


class PaymentExtended(msgspec.Struct, frozen=True, gc=False):
    """A hold is to last longer; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    hold_expires_at: int
    actor: Actor | None = None
    expected_sequence: int | None = None


class PaymentInitiated(msgspec.Struct, frozen=True, gc=False):
    """A payment was asked for; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    channel: str | None = None
    device_id: str | None = None
    counterparty_country: str | None = None
    merchant_category: str | None = None
    creditor_reference: str | None = None
    remittance_text: str | None = None
    hold_expires_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    compliance_score: int | None = None
    fees_charged_minor: int | None = None
    exchange_rate_e8: int | None = None
    settlement_date: int | None = None
    regulatory_reporting_required: bool | None = None
    expected_sequence: int | None = None
    hold: bool | None = None
    balancing: bool | None = None
    creditor_currency: str | None = None
    rate_e8: int | None = None
    capture_tolerance_bp: int | None = None
    execute_at: int | None = None


class PaymentReversed(msgspec.Struct, frozen=True, gc=False):
    """A settled payment is to be taken back; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id", "reversal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    payment_id: str
    debtor_account_id: str
    reversal_id: str
    amount_minor: int | None
    reason: str
    actor: Actor | None = None
    expected_sequence: int | None = None


class PaymentReviewed(msgspec.Struct, frozen=True, gc=False):
    """A reviewer released or stopped a held payment; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "payment_id")

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
    actor: Actor | None = None
    expected_sequence: int | None = None
    link_id: str | None = None


class PaymentsLinked(msgspec.Struct, frozen=True, gc=False):
    """Several payments of one debtor: all of them or none; keyed by the debtor's account."""

    KEY_FIELD: ClassVar[str] = "debtor_account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("debtor_account_id", "link_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    link_id: str
    debtor_account_id: str
    payments: tuple[LinkedPayment, ...]
    open_account: LinkOpening | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    expected_sequence: int | None = None


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

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)
    STAYS_ON_BRANCH: ClassVar[bool] = True

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
    actor: Actor | None = None


class PostingRecorded(msgspec.Struct, frozen=True, gc=False):
    """One posting of the journal."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)
    STAYS_ON_BRANCH: ClassVar[bool] = True

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
    reference: str | None = None
    booked_at: int | None = None
    held_minor_after: int | None = None
    effective_at: int | None = None
    journal_id: str | None = None
    reverses: str | None = None
    reason: str | None = None
    purpose: str | None = None
    rate_e8: int | None = None
    asked_at: int | None = None
    actor: Actor | None = None
    metadata: dict[str, str] | None = None
    approved_by: str | None = None
    lowest_balance_minor: int | None = None
    exchange: Exchange | None = None


class PriceQuoted(msgspec.Struct, frozen=True, gc=False):
    """A price of an instrument; keyed by the instrument, read by every partition."""

    KEY_FIELD: ClassVar[str] = "instrument_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("instrument_id",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    instrument_id: str
    price_e8: int
    currency: str
    actor: Actor | None = None


class RateQuoted(msgspec.Struct, frozen=True, gc=False):
    """A rate between two currencies; keyed by the base currency, read by every partition."""

    KEY_FIELD: ClassVar[str] = "base_currency"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("base_currency",)
    BROADCAST: ClassVar[bool] = True

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    base_currency: str
    quote_currency: str
    rate_e8: int
    effective_from: int
    actor: Actor | None = None


class JournalAnswered(msgspec.Struct, frozen=True, gc=False):
    """What the ledger says of a journal that a break has asked for, where it is not posted."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "journal_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    journal_id: str
    outcome: str
    code: str
    actor: Actor | None = None


class ReconciliationContinued(msgspec.Struct, frozen=True, gc=False):
    """What is due in an account goes on: it was more than one event may do, or only time has passed."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str


class BreakActionRefused(msgspec.Struct, frozen=True, gc=False):
    """What a person has asked for was not done, and why."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str | None
    action: str
    code: str
    correction_id: str | None = None
    actor: Actor | None = None


class BreakChanged(msgspec.Struct, frozen=True, gc=False):
    """What has become of a break, by a person or by the ledger."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    change: str
    status: str
    assignee: str | None = None
    text: str | None = None
    correction_id: str | None = None
    journal_id: str | None = None
    code: str | None = None
    actor: Actor | None = None


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
    kind: str | None = None
    difference_minor: int | None = None
    materiality: str | None = None
    since: int | None = None
    line_id: str | None = None
    counterpart_lines: tuple[LineRef, ...] | None = None
    counterpart_postings: tuple[str, ...] | None = None


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
    statement_id: str | None = None
    posting_id: str | None = None
    kind: str | None = None
    line_no: int | None = None
    journal_id: str | None = None
    actor: Actor | None = None


class CorrectionProposed(msgspec.Struct, frozen=True, gc=False):
    """A correction of a break waits for a second person: nothing is posted yet."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    break_id: str
    correction_id: str
    journal_id: str
    write_off: bool
    legs: tuple[JournalLeg, ...]
    reason: str
    reverses: str | None
    amount_minor: int
    currency: str
    materiality: str
    actor: Actor | None = None


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
    line_id: str | None = None
    other_lines: tuple[LineRef, ...] | None = None
    score: int | None = None
    parts: tuple[ScorePart, ...] | None = None
    weights_sha256: str | None = None
    difference_minor: int | None = None
    kind: str | None = None
    actor: Actor | None = None


class MatchSuggested(msgspec.Struct, frozen=True, gc=False):
    """What may belong to an item: a person decides."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    statement_id: str | None
    line_no: int | None
    line_id: str | None
    posting_id: str | None
    candidates: tuple[MatchCandidate, ...]
    weights_sha256: str | None = None


class PostingsNetted(msgspec.Struct, frozen=True, gc=False):
    """Postings that cancel each other were matched: the bank has no line of them."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    account_id: str
    posting_ids: tuple[str, ...]
    amount_minor: int
    currency: str
    tier: str
    score: int | None = None
    actor: Actor | None = None


class RequestAnswered(msgspec.Struct, frozen=True, gc=False):
    """Whether a request is the first one of its id, a repeat of it, or another one."""

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    request_id: str
    answer: str
    content_hash: str
    claimed_at: int
    sent: bool
    commands: tuple[RequestedCommand, ...]
    actor: Actor | None = None


class RequestClaimed(msgspec.Struct, frozen=True, gc=False):
    """A request came in at the gateway, which asks whether it is the first of its id."""

    KEY_FIELD: ClassVar[str] = "request_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("request_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    request_id: str
    content_hash: str
    commands: tuple[RequestedCommand, ...]
    actor: Actor | None = None


class RequestSent(msgspec.Struct, frozen=True, gc=False):
    """All commands of a request are in the log."""

    KEY_FIELD: ClassVar[str] = "request_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("request_id",)

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    request_id: str
    content_hash: str
    actor: Actor | None = None


class StatementClosed(msgspec.Struct, frozen=True, gc=False):
    """An external account statement is complete."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "statement_id")

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
    actor: Actor | None = None
    sequence_no: int | None = None
    from_at: int | None = None
    page: int | None = None


class StatementLine(msgspec.Struct, frozen=True, gc=False):
    """One line of an external account statement."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "statement_id")

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
    actor: Actor | None = None
    counterparty_name: str | None = None
    counterparty_account: str | None = None
    end_to_end_id: str | None = None
    bank_reference: str | None = None
    transaction_code: str | None = None
    is_reversal: bool | None = None
    entry_kind: str | None = None
    original_amount_minor: int | None = None
    original_currency: str | None = None
    fee_minor: int | None = None
    details: tuple[StatementDetail, ...] | None = None


class TradeExecuted(msgspec.Struct, frozen=True, gc=False):
    """A trade was executed."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "trade_id")

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
    actor: Actor | None = None


class TradeSettled(msgspec.Struct, frozen=True, gc=False):
    """A trade was settled."""

    KEY_FIELD: ClassVar[str] = "account_id"
    CAUSE_FIELDS: ClassVar[tuple[str, ...]] = ("account_id", "trade_id")

    event_id: str
    tenant_id: str
    occurred_at: int
    correlation_id: str
    causation_id: str | None
    trade_id: str
    account_id: str
    settled_at: int
    actor: Actor | None = None


EVENTS: dict[str, type[msgspec.Struct]] = {
    "ledgerflow.AccessRecorded": AccessRecorded,
    "ledgerflow.AccountClosed": AccountClosed,
    "ledgerflow.AccountFrozen": AccountFrozen,
    "ledgerflow.AccountLimitSet": AccountLimitSet,
    "ledgerflow.AccountOpened": AccountOpened,
    "ledgerflow.AccountReopened": AccountReopened,
    "ledgerflow.AccountUnfrozen": AccountUnfrozen,
    "ledgerflow.PeriodClosed": PeriodClosed,
    "ledgerflow.ProposalApproved": ProposalApproved,
    "ledgerflow.ProposalRejected": ProposalRejected,
    "ledgerflow.BalanceUpdated": BalanceUpdated,
    "ledgerflow.BreakAssigned": BreakAssigned,
    "ledgerflow.BreakCommented": BreakCommented,
    "ledgerflow.BreakDisputed": BreakDisputed,
    "ledgerflow.BreakReopened": BreakReopened,
    "ledgerflow.BreakWrittenOff": BreakWrittenOff,
    "ledgerflow.CorrectionApproved": CorrectionApproved,
    "ledgerflow.CorrectionRejected": CorrectionRejected,
    "ledgerflow.CorrectionSuggested": CorrectionSuggested,
    "ledgerflow.MatchConfirmed": MatchConfirmed,
    "ledgerflow.MatchRejected": MatchRejected,
    "ledgerflow.ClearingCounted": ClearingCounted,
    "ledgerflow.FraudAlertRaised": FraudAlertRaised,
    "ledgerflow.FraudModelDrifted": FraudModelDrifted,
    "ledgerflow.BranchTicked": BranchTicked,
    "ledgerflow.FundsReceived": FundsReceived,
    "ledgerflow.PayeeFraudConfirmed": PayeeFraudConfirmed,
    "ledgerflow.PayeeRiskChanged": PayeeRiskChanged,
    "ledgerflow.PaymentLabelled": PaymentLabelled,
    "ledgerflow.FraudListPartPublished": FraudListPartPublished,
    "ledgerflow.FraudModelPartPublished": FraudModelPartPublished,
    "ledgerflow.FraudModelPublished": FraudModelPublished,
    "ledgerflow.FraudRulesPublished": FraudRulesPublished,
    "ledgerflow.PastOverdrawn": PastOverdrawn,
    "ledgerflow.InvariantBroken": InvariantBroken,
    "ledgerflow.JournalUpdated": JournalUpdated,
    "ledgerflow.JournalConfirmed": JournalConfirmed,
    "ledgerflow.JournalReversed": JournalReversed,
    "ledgerflow.JournalSubmitted": JournalSubmitted,
    "ledgerflow.JournalVoided": JournalVoided,
    "ledgerflow.JournalLegsAnswered": JournalLegsAnswered,
    "ledgerflow.JournalLegsEnded": JournalLegsEnded,
    "ledgerflow.JournalLegsRequested": JournalLegsRequested,
    "ledgerflow.LegPosted": LegPosted,
    "ledgerflow.LegRefused": LegRefused,
    "ledgerflow.LegRequested": LegRequested,
    "ledgerflow.PaymentDecided": PaymentDecided,
    "ledgerflow.PaymentsLinkDecided": PaymentsLinkDecided,
    "ledgerflow.MatchingWeightsPublished": MatchingWeightsPublished,
    "ledgerflow.FaultFound": FaultFound,
    "ledgerflow.OperatorActed": OperatorActed,
    "ledgerflow.PaymentResumed": PaymentResumed,
    "ledgerflow.PaymentStuck": PaymentStuck,
    "ledgerflow.CommandProposed": CommandProposed,
    "ledgerflow.CommandRefused": CommandRefused,
    "ledgerflow.outcomes.PaymentCancelled": PaymentCancelledOutcome,
    "ledgerflow.outcomes.PaymentCaptured": PaymentCapturedOutcome,
    "ledgerflow.PaymentExpired": PaymentExpired,
    "ledgerflow.outcomes.PaymentExtended": PaymentExtendedOutcome,
    "ledgerflow.PaymentFailed": PaymentFailed,
    "ledgerflow.PaymentRejected": PaymentRejected,
    "ledgerflow.PaymentReserved": PaymentReserved,
    "ledgerflow.PaymentScheduled": PaymentScheduled,
    "ledgerflow.PaymentScreened": PaymentScreened,
    "ledgerflow.PaymentSettled": PaymentSettled,
    "ledgerflow.ProposalDecided": ProposalDecided,
    "ledgerflow.PaymentCancelled": PaymentCancelled,
    "ledgerflow.PaymentCaptured": PaymentCaptured,
    "ledgerflow.PaymentExtended": PaymentExtended,
    "ledgerflow.PaymentInitiated": PaymentInitiated,
    "ledgerflow.PaymentReversed": PaymentReversed,
    "ledgerflow.PaymentReviewed": PaymentReviewed,
    "ledgerflow.PaymentsLinked": PaymentsLinked,
    "ledgerflow.PositionUpdated": PositionUpdated,
    "ledgerflow.HoldRecorded": HoldRecorded,
    "ledgerflow.PostingRecorded": PostingRecorded,
    "ledgerflow.PriceQuoted": PriceQuoted,
    "ledgerflow.RateQuoted": RateQuoted,
    "ledgerflow.JournalAnswered": JournalAnswered,
    "ledgerflow.ReconciliationContinued": ReconciliationContinued,
    "ledgerflow.BreakActionRefused": BreakActionRefused,
    "ledgerflow.BreakChanged": BreakChanged,
    "ledgerflow.BreakOpened": BreakOpened,
    "ledgerflow.BreakResolved": BreakResolved,
    "ledgerflow.CorrectionProposed": CorrectionProposed,
    "ledgerflow.ItemMatched": ItemMatched,
    "ledgerflow.MatchSuggested": MatchSuggested,
    "ledgerflow.PostingsNetted": PostingsNetted,
    "ledgerflow.RequestAnswered": RequestAnswered,
    "ledgerflow.RequestClaimed": RequestClaimed,
    "ledgerflow.RequestSent": RequestSent,
    "ledgerflow.StatementClosed": StatementClosed,
    "ledgerflow.StatementLine": StatementLine,
    "ledgerflow.TradeExecuted": TradeExecuted,
    "ledgerflow.TradeSettled": TradeSettled,
}
