"""One account of the ledger, and how its row and its balance say it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from pipeline.verify.model.wire import LAYOUT, LONG_MAX

ACCOUNT_ROW = struct.Struct("<BBBB3sBqqqqqq")
"""Layout, status, type, without limit, currency, flags, limit, the four counters, sequence."""
MAXIMUM = struct.Struct("<q")
"""What stands after the row of an account that has a maximum balance."""
HAS_MAXIMUM = 4
ACCOUNT_KINDS = ("checking", "savings", "investment", "merchant", "nostro", "internal")
SIDE_BITS = {"DEBIT": 1, "CREDIT": 2, "BOTH": 3}
FROZEN = ("NONE", "DEBIT", "CREDIT", "BOTH")
"""By the bits that are set."""


def customer(account_id: str) -> bool:
    """Whether an id can be a customer's account."""
    return account_id != "" and account_id[0] != "$" and not set(account_id) & {"/", "\0"}


@dataclass
class Account:
    """One account; amounts in minor units. A limit below zero is a minimum: what must stay available."""

    kind: str
    currency: str
    limit: int | None
    closed: bool = False
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    sequence: int = 0
    frozen: int = 0
    """The bits of its frozen sides."""
    maximum: int | None = None

    @property
    def balance(self) -> int:
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        return self.balance - self.debits_pending

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
            "available_minor": self.available,
            "balance_minor": self.balance,
            "account_sequence": self.sequence,
            "overdraft_limit_minor": None if self.limit is None else max(0, self.limit),
            "minimum_balance_minor": -self.limit if self.limit is not None and self.limit < 0 else None,
            "maximum_balance_minor": self.maximum,
            "frozen": FROZEN[self.frozen],
            "status": "CLOSED" if self.closed else "OPEN",
        }

    def row(self) -> bytes:
        """Return the account's row."""
        raw = ACCOUNT_ROW.pack(
            LAYOUT,
            self.closed,
            ACCOUNT_KINDS.index(self.kind),
            self.limit is None,
            self.currency.encode(),
            self.frozen | (0 if self.maximum is None else HAS_MAXIMUM),
            self.limit or 0,
            self.debits_pending,
            self.debits_posted,
            self.credits_pending,
            self.credits_posted,
            self.sequence,
        )
        return raw if self.maximum is None else raw + MAXIMUM.pack(self.maximum)

    def refusal(self, side: str, currency: str) -> str | None:
        """Return why nothing new may be put on one side (DEBIT, CREDIT) of the account."""
        who = "debtor" if side == "DEBIT" else "creditor"
        if self.closed:
            return f"{who}_closed"
        if self.frozen & SIDE_BITS[side]:
            return f"{who}_frozen"
        return None if self.currency == currency else "currency_mismatch"

    def too_full(self, amount: int) -> bool:
        """Whether the balance would be above its maximum if `amount` more came in."""
        return self.maximum is not None and self.balance + self.credits_pending + amount > self.maximum

    def too_poor(self, amount: int) -> bool:
        """Whether `amount` less would leave less than the limit allows."""
        return self.limit is not None and self.available - amount < -self.limit


def room(account: Account | None, side: str, amount: int) -> bool:
    """Whether one side of an account, posted and pending together, can grow by `amount` in 64 bits."""
    if account is None:
        return amount <= LONG_MAX
    taken: int = getattr(account, f"{side}_posted") + getattr(account, f"{side}_pending")
    return taken + amount <= LONG_MAX
