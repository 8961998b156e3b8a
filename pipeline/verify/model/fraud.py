"""A single-threaded model of one partition of the fraud stream: past payments, counted anew each time.

    records of one partition of fraud-commands, in order -> FraudBranch.apply -> dead-letter code, or what
    must come out: decisions, screenings, reviews and cancellations passed on, alerts, table rows

It holds the default settings, and their values give the version that every decision names. It knows what is
documented of the rules and of the layout of rows, and shares no code with the product: its agreement is
evidence. Times are event time: when it occurred, never later than the record. Amounts are minor units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.fraud_debtors import Debtor, packed
from pipeline.verify.model.fraud_decisions import Decision, in_words, said
from pipeline.verify.model.fraud_links import decide_link
from pipeline.verify.model.fraud_payments import (
    command,
    decide,
    decide_as_said,
    initiate,
    screen,
    tick,
)
from pipeline.verify.model.fraud_rules import Verdict
from pipeline.verify.model.fraud_scheduled import (
    Calendar,
    decided_before,
)
from pipeline.verify.model.fraud_settings import SETTINGS
from pipeline.verify.model.record import Record
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.tenants import Buckets
from pipeline.verify.model.wire import (
    ALERTS,
    COMMANDS,
    DAY_US,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
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

ALERT_LAYOUT = 2
"""Of the rows of alerts: at their end they have the alert that they belong to, which is not written yet."""
FRAUD_TABLE = TABLE
"""Rows of: a debtor (`f`), a decision (`d`), an alert (`a`)."""
KEPT_US = SETTINGS["decisions_kept_days"] * DAY_US
"""How long a decision is known, in event time: by the newest payment that was decided here."""

CONTENT = (
    *("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency", "payment_type"),
    *("reference", "channel", "device_id", "counterparty_country", "merchant_category"),
    "hold_expires_at",
    "metadata",
    "expected_sequence",
    "hold",
    "balancing",
    "creditor_currency",
    "rate_e8",
    "capture_tolerance_bp",
    "execute_at",
)
"""What a decision says of its payment."""


@dataclass
class FraudBranch(StreamModel):
    """The fraud stream of one partition, as far as its log has been applied."""

    debtors: dict[tuple[str, str], Debtor] = field(default_factory=lambda: defaultdict(Debtor))
    """By tenant and account."""
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    """By tenant and payment id."""
    alerts: dict[bytes, int] = field(default_factory=dict)
    """By row key: the event time of the payment."""
    ended: dict[str, tuple[Ended, Ended]] = field(default_factory=dict)
    """Decisions and alerts by tenant."""
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long alerts are known."""
    window_days: int = DUPLICATES_DAYS
    """How long the ledger knows the ids of payments."""
    buckets: Buckets = field(init=False)
    part: tuple[Record, int] | None = None
    """While one payment of a link is looked at: the link, and the place of the payment."""
    calendar: Calendar = field(default_factory=Calendar)
    """The partition's time, and what waits for a later one."""
    clock: tuple[int, int] = LONG_MIN, LONG_MAX
    """The time, and when to look next, as they were written last."""
    rules: ClassVar = {
        "PaymentInitiated": initiate,
        "PaymentsLinked": decide_link,
        **dict.fromkeys(PAYMENT_COMMANDS, command),
        "BranchTicked": tick,
    }

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.partitions)

    def screen(self, event: dict[str, Any], at_us: int) -> tuple[Verdict, bool, int]:
        return screen(self, event, at_us)

    @contextmanager
    def about(self, place: int, payment: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Let what follows be about one payment of a link."""
        whole = self.cause
        fields = {**whole.fields, **payment}
        self.cause, self.part = whole._replace(fields=fields), (whole, place)
        yield fields
        self.cause, self.part = whole, None

    def id_of(self, name: str) -> str:
        if self.part is None:
            return super().id_of(name)
        whole, place = self.part
        return derived(cause_of(whole), f"{name}:{place}")

    def check_ids(self, event: dict[str, Any]) -> None:
        if self.cause.event == "BranchTicked":
            return  # of no tenant
        if has_impossible_id(event):
            raise Dead("invalid_id")
        code = false_text(event)
        if code is not None:
            raise Dead(code)
        if has_false_reference(event):
            raise Dead("invalid_creditor_reference")
        if has_false_tolerance(event):
            raise Dead("invalid_tolerance")

    def conclude(self) -> None:
        """Say the clock, if it has moved."""
        if self.clock != (self.calendar.now, self.calendar.look_at):
            self.clock = self.calendar.now, self.calendar.look_at
            self.row(row_key("w"), self.calendar.row())

    def row(self, key: bytes, value: bytes | None) -> None:
        """Expect a row; only the last of a record counts."""
        self.out = [one for one in self.out if one.topic != TABLE or one.key != key]
        super().row(key, value)

    @contextmanager
    def caused_by(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Let a payment be the cause of what is said."""
        cause = self.cause
        self.cause = cause._replace(event="PaymentInitiated", fields=event)
        yield event
        self.cause = cause

    def decide_now(self, event: dict[str, Any], at_us: int) -> None:
        """Decide a payment that has waited, or need not."""
        if self.witness is not None:
            return decide_as_said(self, event)
        decide(self, event, at_us)

    def was_decided(self, event: dict[str, Any]) -> bool:
        """Whether a payment's id was decided before."""
        if self.witness is not None:
            return decided_before(self, event)
        return self.decision(self.past.newest) is not None

    @property
    def debtor(self) -> Debtor:
        return self.debtors[self.cause.fields["tenant_id"], self.cause.fields["debtor_account_id"]]

    @property
    def alert_key(self) -> bytes:
        names = ("tenant_id", "debtor_account_id", "payment_id")
        return row_key("a", *[self.cause.fields[name] for name in names])

    @property
    def past(self) -> Ended:
        """Return the decisions on the present tenant's payments."""
        return self._ended[0]

    @property
    def _ended(self) -> tuple[Ended, Ended]:
        tenant = self.cause.fields["tenant_id"]
        return self.ended.setdefault(tenant, (Ended("eg", (tenant,)), Ended("hj", (tenant,))))

    def decision(self, newest: int) -> Decision | None:
        """Return the decision on the present payment id, if it still counts."""
        event = self.cause.fields
        known = self.decisions.get((event["tenant_id"], event["payment_id"]))
        return None if known is None or newest - known.at_us > KEPT_US else known

    def forget_decisions(self, at_us: int) -> None:
        """Let the present decision be forgotten in time, and forget others."""
        key = row_key("d", *[self.cause.fields[name] for name in ("tenant_id", "payment_id")])
        keys, changes = self.past.add(at_us, key, KEPT_US)
        for old in keys:
            tenant, payment_id = old.decode().split("\0")[1:]
            known = self.decisions.get((tenant, payment_id))
            if known is not None and self.past.newest - known.at_us > KEPT_US:
                del self.decisions[tenant, payment_id]
                self.row(old, None)
        for change in (*changes, self.past.row()):
            self.row(*change)

    def keep(self, decision: Decision) -> None:
        """Remember a decision on the present payment; expect the rows of debtor and id."""
        tenant, payment_id = (self.cause.fields[name] for name in ("tenant_id", "payment_id"))
        self.decisions[tenant, payment_id] = decision
        self.row(row_key("f", tenant, self.cause.fields["debtor_account_id"]), self.debtor.row())
        self.row(row_key("d", tenant, payment_id), decision.row())

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

    def alerts_once(self, newest: int, verdict: Verdict) -> bool:
        """Whether a payment that comes again raises an alert: it is not approved, and no alert is known."""
        known = self.alerts.get(self.alert_key)
        return verdict.outcome != "APPROVE" and (known is None or newest - known > self.keep_days * DAY_US)

    def alert(self, at_us: int, newest: int, verdict: Verdict) -> None:
        """Expect the alert on the present payment, and its row; forget others."""
        event = self.cause.fields
        payment = [event[name] for name in ("creditor_account_id", "amount_minor", "currency")]
        self.alerts[self.alert_key] = at_us
        past_alerts = self._ended[1]
        keys, changes = past_alerts.add(newest, self.alert_key, self.keep_days * DAY_US)
        for old in keys:
            if old in self.alerts and self.past.newest - self.alerts[old] > self.keep_days * DAY_US:
                del self.alerts[old]
                self.row(old, None)
        for change in (*changes, past_alerts.row()):
            self.row(*change)
        self.row(self.alert_key, packed([at_us, said(verdict), *payment, None], ALERT_LAYOUT))
        alert_id, account_id = self.id_of("fraud_alert_raised"), event["debtor_account_id"]
        about = {"alert_id": alert_id, "payment_id": event["payment_id"], "account_id": account_id}
        self.say(ALERTS, account_id, "FraudAlertRaised", alert_id, **about, **in_words(verdict))
