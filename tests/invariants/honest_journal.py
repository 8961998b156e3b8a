"""An honest journal of one branch, written entry by entry, for tests that then break it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.domain.kernel import events as ev

HOUR = 3_600_000_000
TENANT = "north"


class HonestJournal:
    """Writes postings and holds whose figures are right."""

    def __init__(self, branch: int = 0, tenant: str = TENANT) -> None:
        self.log: list[Any] = []
        self.branch = branch
        self.tenant = tenant
        self._sequence: Counter[str] = Counter()
        self._balance: Counter[str] = Counter()
        self._held: Counter[str] = Counter()

    def _number(self) -> int:
        return len(self.log)

    def enter(
        self, debit: str, credit: str, amount: int, at: int = 0, uses_hold: bool = False, version: int = 2
    ) -> None:
        """Post one entry; `uses_hold`: the debit ends a hold of its amount."""
        entry_id = f"{self.branch}-e{self._number()}"
        for side, account in (("DEBIT", debit), ("CREDIT", credit)):
            signed = amount if side == "CREDIT" else -amount
            self._sequence[account] += 1
            self._balance[account] += signed
            if uses_hold and side == "DEBIT":
                self._held[account] -= amount
            self.log.append(
                ev.PostingRecorded(
                    f"{entry_id}:{side}",
                    self.tenant,
                    at,
                    "c",
                    "cause",
                    f"{entry_id}:{side}",
                    entry_id,
                    "pay",
                    account,
                    "internal" if account.startswith("$") else "checking",
                    side,
                    amount,
                    "EUR",
                    self._sequence[account],
                    self._balance[account],
                    self.branch,
                    None,
                    at if version == 2 else None,
                    self._held[account] if version == 2 else None,
                )
            )

    def hold(self, account: str, amount: int, change: str = "PLACED", at: int = 0) -> None:
        """Record that a hold was placed or released."""
        self._held[account] += amount if change == "PLACED" else -amount
        self.log.append(
            ev.HoldRecorded(
                f"{self.branch}-h{self._number()}",
                self.tenant,
                at,
                "c",
                "cause",
                "pay",
                account,
                "checking",
                change,
                amount,
                "EUR",
                self._held[account],
                self._balance[account],
                at,
                self.branch,
            )
        )

    def held(self, account: str) -> int:
        """Return what is held on an account."""
        return self._held[account]
