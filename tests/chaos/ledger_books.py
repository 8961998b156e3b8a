"""The books of one branch of the ledger: accounts, payments, holds, entries, and what is said of them.

It is the part of the model (`ledger_model`) that the rules write into: each change of an account is expected
as a balance and as a row of the table, each entry as two postings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.stream_model import StreamModel
from tests.chaos.wire import (
    BALANCES,
    ITEMS,
    LAYOUT,
    LONG_MAX,
    PAYMENT_EVENTS,
    POSTINGS,
    cause_of,
    derived,
    home_of,
    msgpack,
    row_key,
)

ACCOUNT_ROW = struct.Struct("<BBBB3sxqqqqqq")
"""Layout, status, type, without limit, currency, limit, the four counters, sequence."""
WATERMARK_ROW = struct.Struct("<Bq")
ACCOUNT_KINDS = ("checking", "savings", "investment", "merchant", "nostro", "internal")


def customer(account_id: str) -> bool:
    """Whether an id can be a customer's account."""
    return account_id != "" and account_id[0] != "$" and not set(account_id) & {"/", "\0"}


@dataclass
class Account:
    """One account; amounts in minor units."""

    kind: str
    currency: str
    limit: int | None
    closed: bool = False
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    sequence: int = 0

    @property
    def balance(self) -> int:
        return self.credits_posted - self.debits_posted

    @property
    def shown(self) -> dict[str, Any]:
        """What events and views say of the account."""
        return {
            "account_type": self.kind,
            "currency": self.currency,
            "debits_pending": self.debits_pending,
            "debits_posted": self.debits_posted,
            "credits_pending": self.credits_pending,
            "credits_posted": self.credits_posted,
            "available_minor": self.balance - self.debits_pending,
            "balance_minor": self.balance,
            "account_sequence": self.sequence,
            "overdraft_limit_minor": self.limit,
            "status": "CLOSED" if self.closed else "OPEN",
        }


@dataclass
class Payment:
    """A payment id and its fate: HELD, IN_FLIGHT; at the end SETTLED, REJECTED, FAILED, CANCELLED."""

    state: str
    code: str
    debtor: str
    creditor: str
    amount: int
    currency: str
    reference: str
    occurred_at: int


@dataclass
class Books(StreamModel):
    """Accounts, payments and legs of one branch."""

    window_days: int = 90
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    payments: dict[tuple[str, str], Payment] = field(default_factory=dict)
    legs: set[tuple[str, str]] = field(default_factory=set)
    watermark: int | None = None

    # --- saying

    def outcome(self, event: str, name: str, payment: Payment, code: str) -> None:
        """Expect a payment event."""
        self.say(
            PAYMENT_EVENTS,
            payment.debtor,
            event,
            derived(cause_of(self.cause.fields), name),
            payment_id=self.cause.fields["payment_id"],
            **leg_content(payment),
            code=code,
        )

    def refuse(self, command: str, account_id: str, payment_id: str | None, code: str) -> None:
        """Expect the answer to a command that has no effect."""
        event_id = derived(cause_of(self.cause.fields), f"refused:{command}")
        answer = {"command": command, "account_id": account_id, "payment_id": payment_id, "code": code}
        self.say(PAYMENT_EVENTS, account_id, "CommandRefused", event_id, **answer)

    def show(self, *account_ids: str) -> None:
        """Expect the balances of accounts that the command has touched."""
        for account_id in account_ids:
            account = self.account(account_id)
            assert account is not None
            event_id = f"{self.cause.fields['event_id']}:{self.cause.fields['tenant_id']}/{account_id}"
            fields = {"account_id": account_id, **account.shown}
            self.say(BALANCES, account_id, "BalanceUpdated", event_id, **fields)
            row = ACCOUNT_ROW.pack(
                LAYOUT,
                account.closed,
                ACCOUNT_KINDS.index(account.kind),
                account.limit is None,
                account.currency.encode(),
                account.limit or 0,
                account.debits_pending,
                account.debits_posted,
                account.credits_pending,
                account.credits_posted,
                account.sequence,
            )
            self.row(row_key("a", self.cause.fields["tenant_id"], account_id), row)

    def end(self, payment: Payment, state: str, code: str) -> None:
        """Write what is remembered of the command's payment after it."""
        payment.state, payment.code = state, code
        fields = self.cause.fields
        raw = msgpack([getattr(payment, name) for name in Payment.__dataclass_fields__])
        self.row(row_key("p", fields["tenant_id"], fields["payment_id"]), bytes([LAYOUT]) + raw)

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the last balance of every account, the branch's own included."""
        for (tenant, account_id), account in self.accounts.items():
            yield {"tenant_id": tenant, "account_id": account_id, **account.shown}

    # --- the books

    def account(self, account_id: str) -> Account | None:
        return self.accounts.get((self.cause.fields["tenant_id"], account_id))

    def own(self, purpose: str, currency: str) -> str:
        """Return the id of the branch's own account for a purpose; it exists from its first use."""
        account_id = f"${purpose}:{currency}:{self.number}"
        key = (self.cause.fields["tenant_id"], account_id)
        self.accounts.setdefault(key, Account("internal", currency, None))
        return account_id

    def here(self, account_id: str) -> bool:
        return home_of(f"{self.cause.fields['tenant_id']}/{account_id}", self.partitions) == self.number

    def counterpart(self, payment: Payment) -> str:
        """Return what stands against a hold: the creditor, or clearing where the creditor is elsewhere."""
        return payment.creditor if self.here(payment.creditor) else self.own("clearing", payment.currency)

    def creditor_code(self, account_id: str, currency: str) -> str | None:
        """Return why an account of this branch cannot be credited."""
        creditor = self.account(account_id)
        if creditor is None or account_id.startswith("$"):
            return "creditor_not_found"
        if creditor.closed:
            return "creditor_closed"
        return None if creditor.currency == currency else "currency_mismatch"

    def hold(self, payment: Payment, sign: int) -> None:
        """Take a hold (+1) or give it back (-1)."""
        debtor, other = self.account(payment.debtor), self.account(self.counterpart(payment))
        assert debtor is not None and other is not None
        debtor.debits_pending += sign * payment.amount
        other.credits_pending += sign * payment.amount

    def say_hold(self, change: str, payment: Payment) -> None:
        """Expect that a hold outlives its command, or ends without a posting."""
        account = self.account(payment.debtor)
        assert account is not None
        self.say(
            POSTINGS,
            payment.debtor,
            "HoldRecorded",
            derived(cause_of(self.cause.fields), f"hold_{change.lower()}"),
            hold_id=self.cause.fields["payment_id"],
            account_id=payment.debtor,
            account_type=account.kind,
            change=change,
            amount_minor=payment.amount,
            currency=account.currency,
            held_minor_after=account.debits_pending,
            balance_minor=account.balance,
            booked_at=self.cause.timestamp_ms * 1000,
            branch=self.number,
        )

    def enter(self, name: str, debit: str, credit: str, amount: int, **about: str | None) -> None:
        """Post one entry of two postings and expect both, and the balances."""
        entry_id = derived(cause_of(self.cause.fields), name)
        for side, account_id in (("DEBIT", debit), ("CREDIT", credit)):
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
                **about,
            }
            for topic in (POSTINGS, ITEMS) if account.kind == "nostro" else (POSTINGS,):
                self.say(topic, account_id, "PostingRecorded", f"{entry_id}:{side[0]}", **posting)
        self.show(debit, credit)


def leg_content(payment: Payment) -> dict[str, Any]:
    """Return the fields by which every event names a payment's parties and money."""
    return {
        "debtor_account_id": payment.debtor,
        "creditor_account_id": payment.creditor,
        "amount_minor": payment.amount,
        "currency": payment.currency,
    }


def room(account: Account | None, side: str, amount: int) -> bool:
    """Whether one side of an account, posted and pending together, can grow by `amount` in 64 bits."""
    if account is None:
        return amount <= LONG_MAX
    taken: int = getattr(account, f"{side}_posted") + getattr(account, f"{side}_pending")
    return taken + amount <= LONG_MAX
