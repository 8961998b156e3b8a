"""The books of one branch of the ledger: accounts, payments, holds, entries, and what is said of them.

It is the part of the model (`ledger`) that the rules write into: each change of an account is expected
as a balance and as a row of the table, each entry as two postings. A command says the balances that it has
touched at its end, each once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.verify.model.ledger_accounts import Account
from pipeline.verify.model.ledger_endings import has_ended
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.tenants import ACCOUNT_CODES
from pipeline.verify.model.wire import (
    BALANCES,
    DAY_US,
    ITEMS,
    LAYOUT,
    PAYMENT_EVENTS,
    POSTINGS,
    home_of,
    msgpack,
    row_key,
)

if TYPE_CHECKING:
    from pipeline.verify.model.ledger_changes import Change
    from pipeline.verify.model.ledger_due import Due
    from pipeline.verify.model.ledger_exchange import Exchange
    from pipeline.verify.model.ledger_holds import Hold
    from pipeline.verify.model.ledger_journals import Group, Journal
    from pipeline.verify.model.ledger_limits import FreezeEnd, Schedule
    from pipeline.verify.model.ledger_links import Link
    from pipeline.verify.model.ledger_proposals import Proposal

NUMBER_ROW = struct.Struct("<Bq")
"""A row of one number: layout, number."""
LAYOUTS = {b"p": 4, b"h": 3, b"j": 4, b"t": 2, b"l": 2, b"g": 4, b"k": 2}
"""The layouts of rows that are not in their first one, by the letter of their family."""
FIVE_MINUTES_US = 300_000_000
Key = tuple[str, str]
"""Tenant and id."""


@dataclass(slots=True)
class Payment:
    """A payment id and its fate: HELD, IN_FLIGHT, AUTHORISED; at the end SETTLED, REJECTED, FAILED, ...

    The end of one that was AUTHORISED may also be EXPIRED; what is held of it is said in its `Hold`.
    """

    state: str
    code: str
    debtor: str
    creditor: str
    amount: int
    currency: str
    reference: str
    occurred_at: int
    payment_type: str
    until: int | None
    """The end of its hold as it asked for it; None: it is no hold."""
    metadata: dict[str, str] | None
    counts_at: int | None = None
    """When it counts in the books, as far as it is posted: the latest of its parts."""
    asked: int | None = None
    """What it has asked for at most; None: for `amount`, all of it or nothing."""
    other: str | None = None
    """The currency that it asks to be converted to, if that is another."""
    named_rate: int | None = None
    exchange: Exchange | None = None
    """What it has become in the other currency."""
    tolerance: int | None = None
    """How many ten-thousandths of its amount may be captured beyond it; None: nothing."""
    execute_at: int | None = None
    """When it was to be executed."""
    link: str | None = None
    """The link that it is a part of."""
    ended_at: int | None = None
    """Since when nothing waits for it, event time."""
    reversing: int | None = None
    """How many reversals of it are on their way; None: there never was one."""

    @property
    def compared(self) -> dict[str, Any]:
        """What a repeat has to have in common with it."""
        return {
            "link": self.link,
            "hold": (self.until is not None, self.tolerance),
            "expiry": self.until,
            "debtor": self.debtor,
            "creditor": self.creditor,
            "amount": (self.amount, False) if self.asked is None else (self.asked, True),
            "reference": self.reference,
            "currency": (self.currency, self.other),
            "rate": self.named_rate,
            "type": self.payment_type,
            "execution_time": self.execute_at,
            "metadata": self.metadata,
        }


@dataclass
class Books(StreamModel):
    """Everything that one branch knows."""

    window_days: int = 90
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long what has ended is known."""
    clock_ahead_us: int = 300_000_000
    """How far a command may be ahead of Kafka's time; 0: as far as it is."""
    refuses_past: bool = False
    """Whether a debit that counts more than five minutes in the past is refused."""
    holds_max: int = 1000
    """How many holds of its money an account may have open."""
    ended_max: int = 2000
    """How many holds of its own accounts one command ends."""
    proposal_days: int = 7
    """How long a command waits for a second person."""
    rate_age_us: int = DAY_US
    """How long a rate counts."""
    rate_tolerance_bp: int = 100
    """How far a named rate may be from the quoted one, in ten thousandths of that."""
    watermark: int | None = None
    accounts: dict[Key, Account] = field(default_factory=dict)
    openings: dict[Key, tuple[int, int | None]] = field(default_factory=dict)
    """What each account was opened with: balance and limit."""
    payments: dict[Key, Payment] = field(default_factory=dict)
    holds: dict[Key, Hold] = field(default_factory=dict)
    """Of payments that are held for captures, by payment; they stay after their end."""
    legs: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """When each was asked for, and by which branch."""
    journals: dict[tuple[str, str, str], Journal] = field(default_factory=dict)
    """By tenant, the journal's account and its id."""
    groups: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    """By tenant, the journal's account and its id: the legs that are this branch's."""
    links: dict[tuple[str, str, str], Link] = field(default_factory=dict)
    """By tenant, debtor and id."""
    taken_back: dict[Key, int] = field(default_factory=dict)
    """Of settled payments, minor units."""
    given_back: dict[Key, int] = field(default_factory=dict)
    """Of those between currencies, what is taken back of the creditor's amount."""
    rates: dict[tuple[str, str, str], dict[int, tuple[int, str, int]]] = field(default_factory=dict)
    """By tenant, base and quote, and by when it begins to count: rate, event, and when it was said."""
    changes: dict[Key, dict[str, Change]] = field(default_factory=dict)
    """By account and event id: the changes of accounts that are remembered."""
    schedules: dict[Key, Schedule] = field(default_factory=dict)
    """By account, when its limits count."""
    freezes: dict[Key, dict[int, FreezeEnd]] = field(default_factory=dict)
    """The ends of frozen sides, by account and the bit of the side."""
    proposals: dict[tuple[str, str, str], Proposal] = field(default_factory=dict)
    """By tenant, account and id: what waits for a second person, and what is remembered of it."""
    open_proposals: dict[Key, int] = field(default_factory=dict)
    """By account, how many of them wait."""
    closed_through: dict[str, int] = field(default_factory=dict)
    """The end of the last closed period, by tenant."""
    waiting_journals: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    """By tenant, home and id: the commands of journals that wait for their time."""
    waiting_on: dict[Key, set[Due]] = field(default_factory=dict)
    """By tenant and account of this branch: the journals that wait and touch it."""
    due: dict[bytes, Due] = field(default_factory=dict)
    """By row key, whose order is that of time."""
    due_order: list[bytes] = field(default_factory=list)
    """The keys of `due`, ascending."""
    held_in: dict[bytes, list[tuple[str, str]]] = field(default_factory=dict)
    """By row key of what is due: the accounts whose money it holds (DEBIT) or who will get it (CREDIT)."""
    held_on: dict[tuple[str, str, str], list[Due]] = field(default_factory=dict)
    """By tenant, account and side: what is due and holds money there, in order."""
    earliest_due: int | None = None
    """No due row is earlier; one may be later."""
    past: Ended = field(default_factory=lambda: Ended("mz"))
    told: dict[int, Ended] = field(default_factory=dict)
    """What has ended by another branch's time, by the number of that branch."""
    walked: bool = False
    """Whether the table has begun."""
    touched: dict[str, None] = field(default_factory=dict)
    """Accounts whose balances the command must still say, in the order in which it first touched them."""
    effects: ClassVar[Mapping[str, Callable[[Any, Due], None]]]
    """What happens when something is due, by its kind."""

    # --- saying

    def outcome(self, event: str, name: str, payment: Payment, code: str, **other: Any) -> None:
        """Expect a payment event; `other` are fields that only this one has, or has otherwise."""
        fields = {"payment_id": self.cause.fields["payment_id"], **leg_content(payment), "code": code}
        self.say(PAYMENT_EVENTS, payment.debtor, event, self.id_of(name), **{**fields, **other})

    def moved_on(self, account_id: str) -> dict[str, int]:
        """Return the postings that an account has had, if the command expects another number of them."""
        expected, account = self.cause.fields.get("expected_sequence"), self.account(account_id)
        if expected is None or account is None or account.sequence == expected:
            return {}
        return {"account_sequence": account.sequence}

    def refuse(self, command: str, account_id: str, code: str, **about: Any) -> None:
        """Expect the answer to a command that has no effect. `about`: the other ids that it names."""
        event_id = self.id_of(f"refused:{command}")
        answer = {"command": command, "account_id": account_id, "code": code, **about}
        self.say(PAYMENT_EVENTS, account_id, "CommandRefused", event_id, **answer)

    def touch(self, *account_ids: str) -> None:
        """Let the balances of accounts be said at the end of the command."""
        self.touched.update(dict.fromkeys(account_ids))

    def conclude(self) -> None:
        """Expect the balances and the rows of the accounts that the command has touched."""
        tenant = self.cause.fields["tenant_id"]
        for account_id in self.touched:
            account = self.accounts[tenant, account_id]
            event_id = f"{self.cause.fields['event_id']}:{tenant}/{account_id}"
            self.say(BALANCES, account_id, "BalanceUpdated", event_id, account_id=account_id, **account.shown)
            if self.with_rows:
                self.row(row_key("a", tenant, account_id), account.row())
        self.touched.clear()

    @contextmanager
    def caused_by(self, kind: str, fields: dict[str, Any]) -> Iterator[None]:
        """Let what follows have another cause than the present record, which only gives Kafka's time."""
        record = self.cause
        self.cause = record._replace(event=kind, fields=fields)
        yield
        self.conclude()
        self.cause = record

    def structure(self, key: bytes, content: Any) -> None:
        """Expect a row of several fields."""
        if self.with_rows:
            self.row(key, bytes([LAYOUTS.get(key[:1], LAYOUT)]) + msgpack(content))

    def number_row(self, key: bytes, value: int | None) -> None:
        """Expect a row of one number, or that it is deleted."""
        self.row(key, None if value is None else NUMBER_ROW.pack(LAYOUT, value))

    def end(self, payment: Payment, state: str, code: str) -> None:
        """Write what is remembered of the command's payment after it."""
        payment.state, payment.code = state, code
        self.keep_payment(self.key("payment_id"), payment)

    def keep_payment(self, names: Key, payment: Payment) -> None:
        """Write what is remembered of a payment."""
        key = row_key("p", *names)
        payment.ended_at = has_ended(self, key, payment.state, payment.reversing, payment.ended_at)
        self.structure(key, [getattr(payment, name) for name in Payment.__dataclass_fields__])

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the last balance of every account, the branch's own included."""
        for (tenant, account_id), account in self.accounts.items():
            yield {"tenant_id": tenant, "account_id": account_id, **account.shown}

    def too_old(self, occurred_at: int, topic: str, event: str, **about: Any) -> bool:
        """Whether a command comes too late to be known again; then it is refused, as `event` says."""
        if self.witness is not None:
            return self.said_code(("too_old",), topic, event, **about) is not None
        assert self.watermark is not None
        return self.watermark - occurred_at > self.window_days * DAY_US

    def account_refusal(self, event: dict[str, Any]) -> str | None:
        """Return why the tenant may not open an account."""
        if self.witness is None:
            return self.tenants.account_refusal(event["tenant_id"], event["currency"])
        about = {"command": "account_opened", "account_id": event["account_id"]}
        return self.said_code(ACCOUNT_CODES, PAYMENT_EVENTS, "CommandRefused", **about)

    # --- the books

    def key(self, name: str) -> Key:
        """Return the tenant and one of the ids of the present command."""
        return self.cause.fields["tenant_id"], self.cause.fields[name]

    def journal(self, account_id: str, journal_id: str) -> Journal | None:
        """Return a journal of an account of the present tenant."""
        return self.journals.get((self.cause.fields["tenant_id"], account_id, journal_id))

    def account(self, account_id: str) -> Account | None:
        return self.accounts.get((self.cause.fields["tenant_id"], account_id))

    def own(self, purpose: str, currency: str) -> str:
        """Return the id of the branch's own account for a purpose; it exists from its first use."""
        account_id = f"${purpose}:{currency}:{self.number}"
        key = (self.cause.fields["tenant_id"], account_id)
        self.accounts.setdefault(key, Account("internal", currency, None))
        return account_id

    def home_of(self, account_id: str) -> int:
        return home_of(f"{self.cause.fields['tenant_id']}/{account_id}", self.partitions)

    def here(self, account_id: str) -> bool:
        return self.home_of(account_id) == self.number

    def counterpart(self, payment: Payment) -> str:
        """Return what stands against a hold: the creditor, or clearing where the creditor is elsewhere."""
        currency = payment.currency if payment.exchange is None else payment.exchange.currency
        return payment.creditor if self.here(payment.creditor) else self.own("clearing", currency)

    def creditor_code(self, account_id: str, currency: str) -> str | None:
        """Return why an account of this branch cannot be credited."""
        creditor = self.account(account_id)
        if creditor is None or account_id.startswith("$"):
            return "creditor_not_found"
        return creditor.refusal("CREDIT", currency)

    def reserve(self, debit: str, credit: str, amount: int) -> None:
        """Take a hold, or with a negative amount give it back."""
        debtor, creditor = self.account(debit), self.account(credit)
        assert debtor is not None and creditor is not None
        debtor.debits_pending += amount
        creditor.credits_pending += amount
        self.touch(debit, credit)

    def say_hold(self, change: str, hold_id: str, account_id: str, amount: int, name: str = "") -> None:
        """Expect that a hold outlives its command, or ends without a posting."""
        account = self.account(account_id)
        assert account is not None
        self.say(
            POSTINGS,
            account_id,
            "HoldRecorded",
            self.id_of(name or f"hold_{change.lower()}"),
            hold_id=hold_id,
            account_id=account_id,
            account_type=account.kind,
            change=change,
            amount_minor=amount,
            currency=account.currency,
            held_minor_after=account.debits_pending,
            balance_minor=account.balance,
            booked_at=self.cause.timestamp_ms * 1000,
            branch=self.number,
        )

    def enter(
        self,
        name: str,
        debit: str,
        credit: str,
        amount: int,
        when: dict[str, int | None] | None = None,
        own: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
        **about: Any,
    ) -> None:
        """Post one entry of two postings and expect both.

        `when`: the times that another branch has decided, or a journal's; `own`: what only the one or the
        other posting says.
        """
        entry_id = self.id_of(name)
        times = self.effective(None) if when is None else when
        for side, account_id, more in (("DEBIT", debit, own[0]), ("CREDIT", credit, own[1])):
            account = self.account(account_id)
            assert account is not None
            if side == "DEBIT":
                account.debits_posted += amount
            else:
                account.credits_posted += amount
            account.sequence += 1
            posting = {
                "posting_id": f"{entry_id}:{side[0]}",
                "entry_id": entry_id,
                "account_id": account_id,
                "account_type": account.kind,
                "side": side,
                "amount_minor": amount,
                "currency": account.currency,
                "account_sequence": account.sequence,
                "balance_minor_after": account.balance,
                "branch": self.number,
                "booked_at": self.cause.timestamp_ms * 1000,
                "held_minor_after": account.debits_pending,
                **times,
                **about,
                **more,
            }
            if side == "DEBIT" and account.limit is not None and self.long_past(self.counts_at(times)):
                posting["lowest_balance_minor"] = -account.limit
            for topic in (POSTINGS, ITEMS) if account.kind == "nostro" else (POSTINGS,):
                self.say(topic, account_id, "PostingRecorded", f"{entry_id}:{side[0]}", **posting)
        self.touch(debit, credit)

    def long_past(self, counts_at: int) -> bool:
        """Whether a time lies further behind the branch's event time than clocks differ."""
        return self.watermark is not None and counts_at < self.watermark - FIVE_MINUTES_US

    def effective(self, asked: int | None, not_before: int | None = None) -> dict[str, int | None]:
        """Return when an entry counts: not in a closed period, and a reversal not before its original.

        A time that is moved is kept beside.
        """
        time, earliest = self.time_of(asked), not_before
        closed = self.closed_through.get(self.cause.fields["tenant_id"])
        if closed is not None and (earliest is None or earliest <= closed):
            earliest = closed + 1
        if earliest is None or time >= earliest:
            return {"effective_at": asked, "asked_at": None}
        return {"effective_at": earliest, "asked_at": asked}

    def in_closed_period(self, asked: int | None) -> bool:
        """Whether a time that is asked for, or the present command's own, lies in a closed period."""
        closed = self.closed_through.get(self.cause.fields["tenant_id"])
        return closed is not None and self.time_of(asked) <= closed

    def time_of(self, asked: int | None) -> int:
        time: int = self.cause.fields["occurred_at"] if asked is None else asked
        return time

    def counts_at(self, when: dict[str, int | None]) -> int:
        """Return the time at which an entry of the present command counts."""
        return self.time_of(when["effective_at"])


def times_of(branch: Books, event: dict[str, Any]) -> dict[str, int | None]:
    """Return when the legs of an entry count, as its home has told the other branch.

    In version 1 of these events no home had decided: every branch does.
    """
    if "asked_at" not in event:
        return branch.effective(event.get("effective_at"))
    return {name: event[name] for name in ("effective_at", "asked_at")}


def leg_content(payment: Payment) -> dict[str, Any]:
    """Return the fields by which every event names a payment's parties and money."""
    return {
        "debtor_account_id": payment.debtor,
        "creditor_account_id": payment.creditor,
        "amount_minor": payment.amount,
        "currency": payment.currency,
    }
