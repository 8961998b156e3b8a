"""The journal by its own arithmetic: no model is needed, and no misreading can be shared with one.

postings -> entries (one debit, one credit, same amount, same branch) -> accounts (sequence, running balance)
holds    -> what is held on each account, which a debit of its payment or journal lowers by its amount
balances -> the latest record of each account must be what the fold says
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.verify.findings import Findings, about, at
from pipeline.verify.model.record import Record
from pipeline.verify.periods import Periods

CLEARING = "$clearing:"
HOUR_US, HOURS = 3_600_000_000, 24


class Folded:
    """An account as its postings make it; amounts in minor units."""

    __slots__ = ("credits", "currency", "debits", "held", "partition", "sequence")

    def __init__(self, partition: int, currency: str) -> None:
        self.partition = partition
        self.currency = currency
        self.sequence = 0
        self.debits = 0
        self.credits = 0
        self.held: int | None = 0
        """None where a posting of an older version left open what is held."""

    @property
    def balance(self) -> int:
        """Credits less debits."""
        return self.credits - self.debits


class Half(NamedTuple):
    """The first posting of an entry, until the second comes."""

    side: str
    account_id: str
    amount_minor: int
    currency: str
    tenant_id: str
    counts_at: int
    asked_at: int | None


class Branch:
    """What is remembered of the postings of one partition."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.entries: set[str] = set()
        self.halves: dict[str, Half] = {}
        self.sums: defaultdict[str, int] = defaultdict(int)
        """By currency, minor units."""


class Journal:
    """Is shown the postings, partition by partition, and commands; about 400 bytes a payment."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.accounts: dict[str, Folded] = {}
        """By key, tenant/account."""
        self.totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        """By clearing account and hour of the day: debits and their minor units, credits and theirs."""
        self._open: Counter[tuple[str, str]] = Counter()
        """What is held and neither released nor used up, minor units: by tenant/payment (or journal) and
        tenant/account."""
        self._periods = Periods(findings)
        self._branches: defaultdict[int, Branch] = defaultdict(Branch)

    def hear(self, record: Record) -> None:
        """Take note of a command that says when entries must count."""
        self._periods.hear(record)

    def see(self, record: Record) -> None:
        """Take note of a posting or a hold."""
        if record.event == "HoldRecorded":
            return self._hold(record, record.fields)
        if record.event != "PostingRecorded":
            return self._expect("entries", False, record, f"{record.event or record.fault} in the journal")
        posting, branch = record.fields, self._branches[record.partition]
        posting_id = posting["posting_id"]
        if posting_id in branch.ids:
            self._findings.wrong(at("fold", record, f"posting {posting_id} a second time"))
        branch.ids.add(posting_id)
        if posting["branch"] != record.partition:
            self._findings.wrong(at("entries", record, f"says branch {posting['branch']}"))
        sign = 1 if posting["side"] == "CREDIT" else -1
        branch.sums[posting["currency"]] += sign * posting["amount_minor"]
        self._pair(record, posting, branch)
        self._fold(record, posting)

    def close_branch(self, partition: int) -> None:
        """Check what is left of a partition when nothing more comes, and forget it."""
        branch = self._branches.pop(partition, Branch())
        self._periods.close_branch(partition)
        for entry_id in branch.halves:
            self._findings.wrong(about("entries", f"branch {partition}: entry {entry_id} is half there"))
        for currency, total in sorted(branch.sums.items()):
            text = f"branch {partition}: the {currency} postings sum to {total}"
            self._findings.count("zero_sum")
            if total:
                self._findings.wrong(about("zero_sum", text))

    def close(self) -> None:
        """Check what holds over all branches when it is quiet."""
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for key, account in self.accounts.items():
            tenant, _, account_id = key.partition("/")
            if account_id.startswith(CLEARING):
                sums[tenant, account.currency] += account.balance
        for (tenant, currency), total in sorted(sums.items()):
            self._findings.count("clearing")
            if total:
                text = f"{tenant}: the {currency} clearing accounts sum to {total}"
                self._findings.wrong(about("clearing", text))
        self._periods.close()

    def _expect(self, check: str, holds: bool, record: Record, text: str) -> None:
        self._findings.count(check)
        if not holds:
            self._findings.wrong(at(check, record, text))

    def _pair(self, record: Record, posting: Mapping[str, Any], branch: Branch) -> None:
        entry_id = posting["entry_id"]
        half = half_of(posting)
        first = branch.halves.pop(entry_id, None)
        if first is None:
            if entry_id in branch.entries:
                self._findings.wrong(at("entries", record, f"entry {entry_id} has more than two postings"))
            branch.entries.add(entry_id)
            branch.halves[entry_id] = half
            return
        self._findings.count("entries")
        if first.side == half.side or first[2:] != half[2:] or half.amount_minor <= 0:
            self._findings.wrong(at("entries", record, f"entry {entry_id} is {first} and {half}"))
        clearing = any(one.account_id.startswith(CLEARING) for one in (first, half))
        self._periods.see(record, half.counts_at, clearing)

    def _account(self, record: Record, said: Mapping[str, Any]) -> Folded:
        """Return the account that a posting or hold is of."""
        key = f"{said['tenant_id']}/{said['account_id']}"
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Folded(record.partition, said["currency"])
        if record.key != key.encode():
            self._findings.wrong(at("fold", record, f"the key is not that of its account {key}"))
        if (account.partition, account.currency) != (record.partition, said["currency"]):
            self._findings.wrong(at("fold", record, f"{key} lives on two branches or in two currencies"))
        return account

    def _hold(self, record: Record, hold: Mapping[str, Any]) -> None:
        account, amount = self._account(record, hold), hold["amount_minor"]
        held, after = account.held, hold["held_minor_after"]
        tenant = hold["tenant_id"]
        place = f"{tenant}/{hold['hold_id']}", f"{tenant}/{hold['account_id']}"
        change = amount if hold["change"] == "PLACED" else -amount
        if change < 0:
            self._expect("hold_fold", self._open[place] >= amount, record, "releases no hold")
        self._change_hold(place, change)
        text = f"{after} are held after {held} and {change}"
        self._expect("hold_fold", held is None or after == held + change, record, text)
        if amount <= 0 or hold["branch"] != record.partition or after < 0:
            self._findings.wrong(at("hold_fold", record, "no hold of this branch"))
        if hold["balance_minor"] != account.balance:
            text = "the balance beside the hold is not that of the postings"
            self._findings.wrong(at("hold_fold", record, text))
        account.held = after

    def _held_after(self, record: Record, account: Folded, posting: Mapping[str, Any]) -> None:
        """A debit uses up its amount of what is held for it, or nothing; all else leaves what is held."""
        held, after = account.held, posting.get("held_minor_after")
        if after is not None and held is not None:
            tenant, amount, used = posting["tenant_id"], posting["amount_minor"], held - after
            owner = f"{tenant}/{posting['payment_id'] or posting.get('journal_id')}"
            place = owner, f"{tenant}/{posting['account_id']}"
            allowed = (0, amount) if posting["side"] == "DEBIT" else (0,)
            self._findings.count("hold_fold")
            if used not in allowed or used > self._open.get(place, 0):
                self._findings.wrong(at("hold_fold", record, f"{after} are held after {held}"))
            if used:
                self._change_hold(place, -used)
        account.held = after

    def _change_hold(self, place: tuple[str, str], change: int) -> None:
        self._open[place] += change
        if not self._open[place]:
            del self._open[place]

    def _fold(self, record: Record, posting: Mapping[str, Any]) -> None:
        account = self._account(record, posting)
        key = f"{posting['tenant_id']}/{posting['account_id']}"
        if posting["account_sequence"] != account.sequence + 1:
            text = f"{key} goes from {account.sequence} to {posting['account_sequence']}"
            self._findings.wrong(at("fold", record, text))
        account.sequence = posting["account_sequence"]
        if posting["side"] == "CREDIT":
            account.credits += posting["amount_minor"]
        else:
            account.debits += posting["amount_minor"]
        if posting["account_id"].startswith(CLEARING):
            totals = self.totals[f"{key}/{posting['occurred_at'] // HOUR_US % HOURS}"]
            place = 0 if posting["side"] == "DEBIT" else 2
            totals[place] += 1
            totals[place + 1] += posting["amount_minor"]
        stated = posting["balance_minor_after"]
        self._findings.count("fold")
        if stated != account.balance:
            text = f"{key} stands at {stated}, its postings make {account.balance}"
            self._findings.wrong(at("fold", record, text))
        self._held_after(record, account, posting)


def half_of(posting: Mapping[str, Any]) -> Half:
    """Return what an entry's other posting must agree with."""
    effective = posting.get("effective_at")
    return Half(
        posting["side"],
        posting["account_id"],
        posting["amount_minor"],
        posting["currency"],
        posting["tenant_id"],
        posting["occurred_at"] if effective is None else effective,
        posting.get("asked_at"),
    )
