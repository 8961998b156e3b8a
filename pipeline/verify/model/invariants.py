"""The model of the invariants stream: what each account and each clearing account has come to by its records.

What never changes: a record is held against what the ones before it said; one that does not follow from them
is said, and the next one is held against what it said.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import (
    CLEARING_TOTALS,
    INVARIANT_ALERTS,
    LAYOUT,
    LONG_MIN,
    msgpack,
    row_key,
)

WINDOW, OF_ACCOUNT, OF_BRANCH = 100_000, 4, 100
"""Alerts there may be, of an account and of a branch, among so many records."""
KNOWN = 8
"""Entries that an account remembers."""
HOUR_US = 3_600_000_000
OTHER_SIDE = {"DEBIT": "CREDIT", "CREDIT": "DEBIT"}
ACCOUNT, TOTALS = struct.Struct("<B3sIqqqq8Q"), struct.Struct("<Bqqqq")


@dataclass
class Account:
    """What the records of an account have said last."""

    currency: str
    sequence: int = 0
    balance: int = 0
    held: int | None = 0
    entries: list[str] = field(default_factory=list)
    """The last of them first."""
    window: int = 0
    alerts: int = 0

    def row(self) -> bytes:
        marks = [
            int.from_bytes(hashlib.blake2b(entry.encode(), digest_size=8).digest(), "little") | 1
            for entry in self.entries[:KNOWN]
        ]
        held = LONG_MIN if self.held is None else self.held
        figures = self.alerts, self.window, self.sequence, self.balance, held
        return ACCOUNT.pack(LAYOUT, self.currency.encode()[:3], *figures, *marks, *[0] * (KNOWN - len(marks)))


def posting(branch: InvariantBranch, event: dict[str, Any]) -> None:
    account = branch.account(event)
    branch.count(event)
    branch.pair(event)
    if event["entry_id"] in account.entries[:KNOWN]:
        branch.broken("entry_once", "an entry of its own", "an entry that this account has already")
    amount, credit = event["amount_minor"], event["side"] == "CREDIT"
    balance = account.balance + (amount if credit else -amount)
    after = event["held_minor_after"]
    if event["currency"] != account.currency or len(event["currency"].encode()) != 3:
        branch.broken("balance", account.currency, event["currency"])
    elif event["account_sequence"] != account.sequence + 1:
        branch.broken("sequence", account.sequence + 1, event["account_sequence"])
    elif event["balance_minor_after"] != balance:
        branch.broken("balance", balance, event["balance_minor_after"])
    elif after is not None:
        branch.follows(account.held, [0] if credit else [0, -amount], after)
    account.entries.insert(0, event["entry_id"])
    account.currency, account.sequence = event["currency"], event["account_sequence"]
    account.balance, account.held = event["balance_minor_after"], after
    branch.finish(event, account)


def hold(branch: InvariantBranch, event: dict[str, Any]) -> None:
    account = branch.account(event)
    amount, after = event["amount_minor"], event["held_minor_after"]
    change = {"PLACED": amount, "RELEASED": -amount}.get(event["change"])
    if event["currency"] != account.currency or len(event["currency"].encode()) != 3:
        branch.broken("balance", account.currency, event["currency"])
    elif event["balance_minor"] != account.balance:
        branch.broken("balance", account.balance, event["balance_minor"])
    elif amount <= 0:
        branch.broken("held", "an amount above 0", amount)
    elif change is None:
        branch.follows(None, [], after)
    else:
        branch.follows(account.held, [change], after)
    account.currency, account.balance, account.held = event["currency"], event["balance_minor"], after
    branch.finish(event, account)


@dataclass
class InvariantBranch(StreamModel):
    """The accounts of one partition, and the entry that is half there."""

    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    totals: dict[tuple[str, str, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0])
    )
    half: dict[str, Any] | None = None
    records: int = 0
    window: int = 0
    alerts: int = 0
    unsaid: int = 0
    rules: ClassVar = {"PostingRecorded": posting, "HoldRecorded": hold}

    def account(self, event: dict[str, Any]) -> Account:
        """Return the account of a record."""
        key = event["tenant_id"], event["account_id"]
        if key not in self.accounts:
            self.accounts[key] = Account(event["currency"])
        return self.accounts[key]

    def pair(self, event: dict[str, Any]) -> None:
        """Hold a posting against the one that its entry waits with."""
        first, self.half = self.half, None
        if first is not None:
            wanted = f"{OTHER_SIDE[first['side']]} {first['amount_minor']} {first['currency']}"
            if (first["tenant_id"], first["entry_id"]) == (event["tenant_id"], event["entry_id"]):
                found = f"{event['side']} {event['amount_minor']} {event['currency']}"
                if found != wanted:
                    self.broken("zero_sum", wanted, found)
                return
            self.broken("zero_sum", wanted, "nothing", first)
        self.half = event
        if event["amount_minor"] <= 0:
            self.broken("zero_sum", "an amount above 0", event["amount_minor"])

    def follows(self, before: int | None, changes: list[int], after: int) -> None:
        """Hold what is held against what was held."""
        if after < 0:
            self.broken("held", "0 or more", after)
        elif before is not None and after not in [before + change for change in changes]:
            self.broken("held", " or ".join(str(before + change) for change in changes), after)

    def broken(
        self, invariant: str, expected: object, found: object, about: dict[str, Any] | None = None
    ) -> None:
        """Expect an alert, if there is room for one; `about`: the posting that it is of, if another one."""
        cause, now = self.cause, self.records // WINDOW
        account = self.account(cause.fields)
        for one in (self, account):
            if one.window != now:
                one.window, one.alerts = now, 0
        if self.alerts >= OF_BRANCH or account.alerts >= OF_ACCOUNT:
            self.unsaid += 1
            return
        self.alerts += 1
        account.alerts += 1
        of = about or cause.fields
        self.say(
            INVARIANT_ALERTS,
            of["account_id"],
            "InvariantBroken",
            self.id_of(f"{invariant}:{self.number}:{cause.offset}"),
            invariant=invariant,
            account_id=of["account_id"],
            currency=of["currency"],
            entry_id=of.get("entry_id"),
            expected=str(expected),
            found=str(found),
            topic="postings",
            partition=self.number,
            offset=cause.offset,
        )
        said = self.out[-1]
        key = f"{of['tenant_id']}/{of['account_id']}".encode()
        self.out[-1] = said._replace(key=key, fields={**said.fields, "tenant_id": of["tenant_id"]})

    def count(self, event: dict[str, Any]) -> None:
        """Add a posting to the hour of its clearing account."""
        if not event["account_id"].startswith("$clearing:"):
            return
        hour = event["occurred_at"] // HOUR_US % 24
        totals = self.totals[event["tenant_id"], event["account_id"], hour]
        at = 0 if event["side"] == "DEBIT" else 2
        totals[at] += 1
        totals[at + 1] = (totals[at + 1] + event["amount_minor"] - LONG_MIN) % 2**64 + LONG_MIN
        self.row(
            row_key("c", event["tenant_id"], event["account_id"], str(hour)), TOTALS.pack(LAYOUT, *totals)
        )
        self.say(
            CLEARING_TOTALS,
            f"{event['account_id']}/{hour}",
            "ClearingCounted",
            f"{event['event_id']}:counted",
            account_id=event["account_id"],
            currency=event["currency"],
            branch=self.number,
            hour=hour,
            **dict(zip(("debits", "debits_minor", "credits", "credits_minor"), totals, strict=True)),
        )

    def finish(self, event: dict[str, Any], account: Account) -> None:
        """Expect the rows of an account and of the branch."""
        self.records += 1
        self.row(row_key("a", event["tenant_id"], event["account_id"]), account.row())
        names = ("tenant_id", "entry_id", "account_id", "side", "amount_minor", "currency")
        half = None if self.half is None else [self.half[name] for name in names]
        state = [self.records, self.window, self.alerts, self.unsaid, half]
        self.row(row_key("p"), bytes([LAYOUT]) + msgpack(state))
