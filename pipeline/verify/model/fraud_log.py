"""A single-threaded model of one partition of the fraud stream over its whole log.

    records of one partition of fraud-commands, in order -> FraudBranch.apply -> dead-letter code, or what
    must come out: decisions, screenings, alerts, what is passed on, what other partitions are told, rows

It holds the default settings. It knows what is documented of the features, the rules, the models and the
layout of rows, and shares no code with the product: its agreement is evidence. Times are event time: when it
occurred, never later than the record. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.fraud_alerts import OpenAlert
from pipeline.verify.model.fraud_days import Days
from pipeline.verify.model.fraud_decided import Decided, Verdict, in_words
from pipeline.verify.model.fraud_facts import Account, Rates, open_account, quote_rate
from pipeline.verify.model.fraud_flow import confirm, know, post, receive
from pipeline.verify.model.fraud_kept import Kept
from pipeline.verify.model.fraud_known import Known
from pipeline.verify.model.fraud_labels import label
from pipeline.verify.model.fraud_linked import link
from pipeline.verify.model.fraud_paying import command, decide, initiate, tick
from pipeline.verify.model.fraud_publications import Publications
from pipeline.verify.model.fraud_scheduled import Calendar
from pipeline.verify.model.fraud_verdicts import DECLINE_FROM, REVIEW_FROM, Judge
from pipeline.verify.model.record import Record
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.tenants import Buckets
from pipeline.verify.model.wire import (
    COMMANDS,
    DAY_US,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
    PUBLICATIONS,
    TABLE,
    Dead,
    cause_of,
    derived,
    false_text,
    has_false_reference,
    has_false_tolerance,
    has_impossible_id,
    row_key,
)

FRAUD_TABLE = TABLE
"""Rows: see the docstrings of the models that say them."""
LABELS_DAYS = 120
"""The default: how long a decision is kept for labels."""
HOUR_US = 3_600_000_000
CONTENT = (
    *("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency", "payment_type"),
    *("reference", "channel", "device_id", "counterparty_country", "merchant_category"),
    *("hold_expires_at", "metadata", "expected_sequence", "hold", "balancing", "creditor_currency"),
    *("rate_e8", "capture_tolerance_bp", "execute_at"),
)
"""What a decision says of its payment."""
OWN = ("FundsReceived", "PayeeFraudConfirmed", "PayeeRiskChanged", "PostingRecorded")
"""What the streams say to each other: texts of people are not looked at in it."""
Names = tuple[str, str]
"""A tenant, and an account, a payment or a currency of it."""


@dataclass
class FraudBranch(StreamModel):
    """The fraud stream of one partition, as far as its log has been applied."""

    known: dict[str, Known] = field(default_factory=dict)
    """What features are made of, by tenant."""
    accounts: dict[Names, Account] = field(default_factory=dict)
    rates: dict[Names, Rates] = field(default_factory=dict)
    decisions: dict[Names, Decided] = field(default_factory=dict)
    alerts: dict[bytes, int] = field(default_factory=dict)
    """By row key: the event time of the payment."""
    open_alerts: dict[Names, OpenAlert] = field(default_factory=dict)
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long alerts are known."""
    window_days: int = DUPLICATES_DAYS
    """How long the ledger knows the ids of payments."""
    labels_days: int = LABELS_DAYS
    review_from: int = REVIEW_FROM
    decline_from: int = DECLINE_FROM
    """From how many points of the rules on."""
    kept: Kept = field(init=False)
    """How long rows are kept."""
    days: Days = field(init=False)
    """What is counted by day."""
    publications: Publications = field(init=False)
    buckets: Buckets = field(init=False)
    part: tuple[Record, int] | None = None
    """While one payment of a link is looked at: the link, and the place of the payment."""
    calendar: Calendar = field(default_factory=Calendar)
    """The partition's time, and what waits for a later one."""
    clock: tuple[int, int] = LONG_MIN, LONG_MAX
    """The time, and when to look next, as they were written last."""
    rules: ClassVar = {
        "PaymentInitiated": initiate,
        "PaymentsLinked": link,
        **dict.fromkeys(PAYMENT_COMMANDS, command),
        "BranchTicked": tick,
        "PaymentLabelled": label,
        "PostingRecorded": post,
        "FundsReceived": receive,
        "PayeeFraudConfirmed": confirm,
        "PayeeRiskChanged": know,
        "AccountOpened": open_account,
        "RateQuoted": quote_rate,
        **dict.fromkeys(PUBLICATIONS, lambda branch, event: branch.publish(event)),
    }

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.partitions)
        judge = Judge(review_from=self.review_from, decline_from=self.decline_from)
        self.publications = Publications(self.row, judge=judge)
        self.kept, self.days = Kept(self), Days(self)

    @property
    def kept_us(self) -> int:
        """How long a decision is kept for labels."""
        return max(self.labels_days, self.window_days) * DAY_US

    @property
    def too_old_us(self) -> int:
        """How much older than its tenant's time a payment surely is too old for the ledger."""
        return self.window_days * DAY_US + HOUR_US

    def of(self, tenant: str) -> Known:
        """Return what is known of a tenant's accounts."""
        return self.known.setdefault(tenant, Known())

    def publish(self, event: dict[str, Any]) -> None:
        assert self.cause.event is not None
        self.publications.publish(self.cause.event, event)

    @contextmanager
    def about(self, place: int, payment: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Let what follows be about one payment of a link."""
        whole = self.cause
        fields = {**whole.fields, **payment}
        self.cause, self.part = whole._replace(fields=fields), (whole, place)
        yield fields
        self.cause, self.part = whole, None

    @contextmanager
    def caused_by(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Let a payment be the cause of what is said."""
        cause = self.cause
        self.cause = cause._replace(event="PaymentInitiated", fields=event)
        yield event
        self.cause = cause

    def id_of(self, name: str) -> str:
        if self.part is None:
            return super().id_of(name)
        whole, place = self.part
        return derived(cause_of(whole), f"{name}:{place}")

    def check_ids(self, event: dict[str, Any]) -> None:
        if self.cause.event in ("BranchTicked", "RateQuoted", *PUBLICATIONS):
            return
        if has_impossible_id(event):
            raise Dead("invalid_id")
        if self.cause.event in OWN:
            return
        code = false_text(event)
        if code is not None:
            raise Dead(code)
        if self.cause.event == "PaymentInitiated":
            if has_false_reference(event):
                raise Dead("invalid_creditor_reference")
            if has_false_tolerance(event):
                raise Dead("invalid_tolerance")

    def conclude(self) -> None:
        """Say the clock, if it has moved, and the queues that have changed."""
        self.kept.conclude()
        if self.with_rows and self.clock != (self.calendar.now, self.calendar.look_at):
            self.clock = self.calendar.now, self.calendar.look_at
            self.row(row_key("w"), self.calendar.row())

    def row(self, key: bytes, value: bytes | None) -> None:
        """Expect a row; only the last of a record counts."""
        if not self.with_rows:
            return
        self.out = [one for one in self.out if one.topic != TABLE or one.key != key]
        super().row(key, value)

    def decide_now(self, event: dict[str, Any], at_us: int) -> None:
        """Decide a payment that has waited, or need not."""
        decide(self, event, at_us)

    def was_decided(self, event: dict[str, Any]) -> bool:
        """Whether a payment's id was decided before."""
        if self.witness is not None:
            return self.next_said(COMMANDS, "PaymentDecided", payment_id=event["payment_id"]) is not None
        return self.decision(event, self.kept.newest(event["tenant_id"])) is not None

    def decision(self, event: dict[str, Any], newest: int) -> Decided | None:
        """Return the decision on a payment id, while ids are known."""
        known = self.decisions.get((event["tenant_id"], event["payment_id"]))
        return None if known is None or newest - known.at_us > self.window_days * DAY_US else known

    def decision_for(self, tenant: str, payment: str, debtor: str) -> Decided | None:
        """Return the decision on a payment of a debtor, while labels go to it."""
        known, newest = self.decisions.get((tenant, payment)), self.kept.newest(tenant)
        if known is None or known.payment is None or known.debtor != debtor:
            return None
        return None if newest - known.at_us > self.kept_us else known

    def answer(self, verdict: Verdict) -> None:
        """Expect the decision on the present payment: what it says itself, and the verdict."""
        event = self.cause.fields
        # Older versions of a payment have no channel, device, country and category, and no end of a hold.
        payment = {name: event.get(name) for name in CONTENT}
        decided_id = self.id_of("payment_decided")
        account_id = event["debtor_account_id"]
        self.say(COMMANDS, account_id, "PaymentDecided", decided_id, **payment, **in_words(verdict))
        screened = {name: event[name] for name in CONTENT[:5]}
        screened |= {"outcome": verdict.outcome, "decision_id": decided_id}
        screened |= {name: event.get(name) for name in ("hold_expires_at", "hold")}
        screened_id = self.id_of("payment_screened")
        self.say(PAYMENT_EVENTS, account_id, "PaymentScreened", screened_id, **screened)

    def refuse(self, code: str, execute_at: int | None = None) -> None:
        """Expect the answer to a payment that has no effect."""
        event = self.cause.fields
        account_id = event["debtor_account_id"]
        about = {"account_id": account_id, "payment_id": event["payment_id"], "code": code}
        refused_id = self.id_of("refused:payment_initiated")
        said = {"command": "payment_initiated", **about, "execute_at": execute_at}
        self.say(PAYMENT_EVENTS, account_id, "CommandRefused", refused_id, **said)
