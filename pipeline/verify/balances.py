"""The latest balance of each account, as the topic states it, beside the journal's own arithmetic."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from pipeline.verify.findings import Findings, about
from pipeline.verify.journal import Folded, Journal
from pipeline.verify.model.record import Record


class Balance(NamedTuple):
    """The latest balance of an account."""

    partition: int
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


class Balances:
    """Is shown the topic `balances`."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._latest: dict[str, tuple[int, dict[str, Any]]] = {}
        """Partition and fields by key, tenant/account."""
        self.latest: dict[str, Balance] = {}
        """Likewise, when they are compared."""

    def see(self, record: Record) -> None:
        """Take note of a balance."""
        if record.event != "BalanceUpdated":
            return
        fields = record.fields
        self._latest[f"{fields['tenant_id']}/{fields['account_id']}"] = record.partition, fields

    def settle(self) -> None:
        """Take what has been seen for the latest balances."""
        for key, (partition, fields) in self._latest.items():
            said = {name: fields[name] for name in Balance._fields[1:] if name in fields}
            self.latest[key] = Balance(partition, **said)  # older versions say less

    def compare(self, journal: Journal) -> None:
        """Compare them with the fold of the postings, and branch by branch with each other."""
        self.settle()
        pending: defaultdict[tuple[int, str], int] = defaultdict(int)
        for key in sorted(journal.accounts.keys() - self.latest.keys()):
            self._expect("balances", False, f"{key} has postings and no balance")
        for key, stated in self.latest.items():
            self._compare(key, stated, journal.accounts.get(key) or Folded(stated.partition, stated.currency))
            pending[stated.partition, stated.currency] += stated.debits_pending - stated.credits_pending
        for (partition, currency), total in sorted(pending.items()):
            text = f"branch {partition}: pending {currency} debits exceed credits by {total}"
            self._expect("pending", total == 0, text)

    def _compare(self, key: str, stated: Balance, folded: Folded) -> None:
        held = stated.debits_pending if folded.held is None else folded.held
        expected = stated._replace(
            partition=folded.partition,
            currency=folded.currency,
            debits_posted=folded.debits,
            credits_posted=folded.credits,
            balance_minor=folded.balance,
            debits_pending=held,
            available_minor=folded.balance - held,
            account_sequence=folded.sequence,
        )
        wrong = [name for name, is_, be in zip(Balance._fields, stated, expected, strict=True) if is_ != be]
        self._expect("balances", not wrong, f"{key}: {', '.join(wrong)} differ from the postings")
        if min(stated.debits_pending, stated.credits_pending) < 0:
            self._findings.wrong(about("balances", f"{key}: a pending counter is below zero"))

    def _expect(self, check: str, holds: bool, text: str) -> None:
        self._findings.count(check)
        if not holds:
            self._findings.wrong(about(check, text))
