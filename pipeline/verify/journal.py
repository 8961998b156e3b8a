"""The journal folded from its postings alone, and the balances compared with it.

postings -> entries (one debit, one credit, same amount, same branch) -> accounts (sequence, running balance)
holds    -> what is held on each account, which a debit of its payment or journal lowers by its amount
balances -> the latest record of each account must be what the fold says
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container
from typing import Any, NamedTuple

from pipeline.verify.log import Record
from pipeline.verify.reader import BALANCES, ITEMS, POSTINGS, Reader
from pipeline.verify.report import Check

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


class Balance(NamedTuple):
    """The latest balance of an account, as the topic states it."""

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


class Half(NamedTuple):
    """The first posting of an entry, until the second comes."""

    side: str
    amount_minor: int
    currency: str
    tenant_id: str


class Moved(NamedTuple):
    """What the postings of a journal of many legs have in common; their amounts are added up."""

    account_id: str
    side: str
    currency: str
    purpose: str | None
    rate_e8: int | None
    reverses: str | None


def transfer(account_id: str, amount_minor: int, currency: str) -> int:
    """Return a number that stands for one side of a payment, within this process; never 0."""
    return hash((account_id, amount_minor, currency)) or 1


class Journal:
    """Reads `postings` once; about 300 bytes a payment are kept."""

    def __init__(
        self, reader: Reader, watch: Container[str] = (), held_journals: Container[str] = ()
    ) -> None:
        """`watch`: payments (tenant/payment) whose nostro postings are to be remembered, and journals
        (likewise) whose effective times are; `held_journals`: journals of many legs that were held."""
        self._watch = watch
        self._held_journals = held_journals
        self.effective: dict[str, set[int]] = {}
        """Of the watched journals, by tenant/journal: when their postings count."""
        self.watched: dict[str, set[str]] = {}
        """Of the watched payments, by tenant/payment: the ids of their postings on nostro accounts."""
        self.entries = Check(
            "entries", "Every entry has one debit and one credit of one amount, on one branch."
        )
        self.zero = Check("zero_sum", "Per branch and currency, the sum of all postings is zero.")
        self.fold = Check("fold", "Account sequences have no gap; each posting's balance is the fold so far.")
        self.holds = Check("hold_fold", "What is held on an account is the fold of its holds and debits.")
        self.periods = Check("periods", "Once a late entry was moved on, no entry counts in a closed period.")
        self.accounts: dict[str, Folded] = {}
        """By key, tenant/account."""
        self.moved: dict[str, tuple[int, int]] = {}
        """By tenant/payment: what was debited and credited outside `$...` (`transfer`), 0 for nothing."""
        self.more: dict[str, list[tuple[str, int]]] = {}
        """Likewise (side, `transfer`) of every further posting; only captures make several of one side."""
        self.journals: dict[str, Counter[Moved]] = {}
        """By tenant/journal: what its postings move, clearing included; minor units."""
        self.moved_on: dict[tuple[int, str], set[int]] = {}
        """By branch and tenant: the ends of periods that late entries were moved on from."""
        self.nostro: list[set[str]] = []
        """Per branch, the ids of the postings of nostro accounts."""
        self.placed: Counter[tuple[str, str]] = Counter()
        """How many holds there are, by tenant/payment (or journal) and tenant/account."""
        self.totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        """By clearing account and hour of the day: debits and their minor units, credits and theirs."""
        self.open: Counter[tuple[str, str]] = Counter()
        """What is held and neither released nor used up, minor units: by tenant/payment (or journal) and
        tenant/account."""
        self._sums: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._entries: set[str] = set()
        for partition in range(reader.partitions(POSTINGS)):
            self._read(reader, partition)
        self._entries.clear()
        for (partition, currency), total in sorted(self._sums.items()):
            self.zero.expect(total == 0, f"branch {partition}: the {currency} postings sum to {total}")

    @property
    def checks(self) -> list[Check]:
        """What reading the journal has checked."""
        return [self.entries, self.zero, self.fold, self.holds, self.periods]

    def _read(self, reader: Reader, partition: int) -> None:
        ids: set[str] = set()
        nostro: set[str] = set()
        halves: dict[str, Half] = {}
        for record, event in reader.events(POSTINGS, partition):
            posting = event.fields
            if event.name == "HoldRecorded":
                self._hold(record, posting)
                continue
            posting_id = posting["posting_id"]
            if posting_id in ids:
                self.fold.fail(f"{record.place}: posting {posting_id} a second time")
            ids.add(posting_id)
            if posting["branch"] != partition:
                self.entries.fail(f"{record.place}: says branch {posting['branch']}")
            sign = 1 if posting["side"] == "CREDIT" else -1
            self._sums[partition, posting["currency"]] += sign * posting["amount_minor"]
            if posting["account_type"] == "nostro":
                nostro.add(posting_id)
                payment = f"{posting['tenant_id']}/{posting['payment_id']}"
                if payment in self._watch:
                    self.watched.setdefault(payment, set()).add(posting_id)
            self._pair(record, posting, halves)
            self._fold(record, posting)
            self._move(record, posting)
            self._time(record, posting)
        for entry_id in halves:
            self.entries.fail(f"branch {partition}: entry {entry_id} has only one posting")
        self.nostro.append(nostro)

    def _pair(self, record: Record, posting: dict[str, Any], halves: dict[str, Half]) -> None:
        entry_id = posting["entry_id"]
        half = Half(posting["side"], posting["amount_minor"], posting["currency"], posting["tenant_id"])
        first = halves.pop(entry_id, None)
        if first is None:
            if entry_id in self._entries:
                self.entries.fail(f"{record.place}: entry {entry_id} has more than two postings")
            self._entries.add(entry_id)
            halves[entry_id] = half
            return
        self.entries.count()
        if first.side == half.side:
            self.entries.fail(f"{record.place}: entry {entry_id} has two postings of side {half.side}")
        if first[1:] != half[1:]:
            self.entries.fail(f"{record.place}: the postings of entry {entry_id} differ in more than side")
        if half.amount_minor <= 0:
            self.entries.fail(f"{record.place}: entry {entry_id} moves {half.amount_minor}")

    def _account(self, record: Record, said: dict[str, Any]) -> Folded:
        """Return the account that a posting or hold is of."""
        key = f"{said['tenant_id']}/{said['account_id']}"
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Folded(record.partition, said["currency"])
        if record.key != key.encode():
            self.fold.fail(f"{record.place}: the key is not that of its account {key}")
        if (account.partition, account.currency) != (record.partition, said["currency"]):
            self.fold.fail(f"{record.place}: {key} lives on two branches or in two currencies")
        return account

    def _hold(self, record: Record, hold: dict[str, Any]) -> None:
        account = self._account(record, hold)
        held, after = account.held, hold["held_minor_after"]
        owner, amount = f"{hold['tenant_id']}/{hold['hold_id']}", hold["amount_minor"]
        place = owner, f"{hold['tenant_id']}/{hold['account_id']}"
        if hold["change"] == "PLACED":
            change = amount
            self.placed[place] += 1
            once = self.placed[place] == 1 or owner in self._held_journals
            self.holds.expect(once, f"{record.place}: a second hold of {owner}")
        else:
            change = -amount
            self.holds.expect(self.open[place] >= amount, f"{record.place}: releases no hold")
        self._change_hold(place, change)
        text = f"{record.place}: {after} are held after {held} and {change}"
        self.holds.expect(held is None or after == held + change, text)
        if hold["amount_minor"] <= 0 or hold["branch"] != record.partition or after < 0:
            self.holds.fail(f"{record.place}: no hold of this branch")
        if hold["balance_minor"] != account.credits - account.debits:
            self.holds.fail(f"{record.place}: the balance beside the hold is not that of the postings")
        account.held = after

    def _held_after(self, record: Record, account: Folded, posting: dict[str, Any]) -> None:
        """A debit uses up its amount of what is held for it, if anything is; all else leaves what is held."""
        held, after = account.held, posting.get("held_minor_after")
        if after is not None and held is not None:
            tenant, amount = posting["tenant_id"], posting["amount_minor"]
            owner = f"{tenant}/{posting['payment_id'] or posting.get('journal_id')}"
            place = owner, f"{tenant}/{posting['account_id']}"
            used = amount if posting["side"] == "DEBIT" and self.open[place] else 0
            if posting["payment_id"] and owner in self._held_journals:
                used = min(used, max(0, held - after))  # a journal of the same id may be what is held
            self.holds.expect(
                held - after == used <= self.open[place], f"{record.place}: {after} are held after {held}"
            )
            self._change_hold(place, -used)
        account.held = after

    def _change_hold(self, place: tuple[str, str], change: int) -> None:
        self.open[place] += change
        if not self.open[place]:
            del self.open[place]

    def _fold(self, record: Record, posting: dict[str, Any]) -> None:
        account = self._account(record, posting)
        key = f"{posting['tenant_id']}/{posting['account_id']}"
        if posting["account_sequence"] != account.sequence + 1:
            self.fold.fail(
                f"{record.place}: {key} goes from {account.sequence} to {posting['account_sequence']}"
            )
        account.sequence = posting["account_sequence"]
        if posting["side"] == "CREDIT":
            account.credits += posting["amount_minor"]
        else:
            account.debits += posting["amount_minor"]
        if posting["account_id"].startswith(CLEARING):
            totals = self.totals[f"{key}/{posting['occurred_at'] // HOUR_US % HOURS}"]
            at = 0 if posting["side"] == "DEBIT" else 2
            totals[at] += 1
            totals[at + 1] += posting["amount_minor"]
        folded = account.credits - account.debits
        self.fold.expect(
            posting["balance_minor_after"] == folded,
            f"{record.place}: {key} stands at {posting['balance_minor_after']}, its postings make {folded}",
        )
        self._held_after(record, account, posting)

    def _move(self, record: Record, posting: dict[str, Any]) -> None:
        payment_id, account_id = posting["payment_id"], posting["account_id"]
        if posting.get("journal_id") is not None:
            key = f"{posting['tenant_id']}/{posting['journal_id']}"
            what = Moved(*(posting[name] for name in Moved._fields))
            self.journals.setdefault(key, Counter())[what] += posting["amount_minor"]
            if payment_id is not None:
                self.entries.fail(f"{record.place}: a posting of a payment and of journal {key}")
        if payment_id is None or account_id.startswith("$"):
            return
        key = f"{posting['tenant_id']}/{payment_id}"
        debited, credited = self.moved.get(key, (0, 0))
        side = transfer(account_id, posting["amount_minor"], posting["currency"])
        debit = posting["side"] == "DEBIT"
        if debited if debit else credited:
            self.more.setdefault(key, []).append((posting["side"], side))
        else:
            self.moved[key] = (side, credited) if debit else (debited, side)

    def take_moved(self, key: str) -> Counter[tuple[str, int]]:
        """Return what a payment has moved, by side and `transfer`, and forget it."""
        debited, credited = self.moved.pop(key, (0, 0))
        first = [(side, what) for side, what in (("DEBIT", debited), ("CREDIT", credited)) if what]
        return Counter([*first, *self.more.pop(key, ())])

    def _time(self, record: Record, posting: dict[str, Any]) -> None:
        """What is late counts from the end of the closed period on, and so does all that comes after it."""
        effective, asked, journal_id = (
            posting.get(name) for name in ("effective_at", "asked_at", "journal_id")
        )
        counts = posting["occurred_at"] if effective is None else effective
        tenant = posting["tenant_id"]
        if journal_id is not None and (key := f"{tenant}/{journal_id}") in self._watch:
            self.effective.setdefault(key, set()).add(counts)
        place = record.partition, tenant
        # A journal may ask for a time: then its effective time alone does not say that it was moved on.
        if effective is not None and (asked is not None or journal_id is None):
            self.moved_on.setdefault(place, set()).add(effective - 1)
            self.periods.expect(
                asked is None or asked < effective,
                f"{record.place}: was moved on from {asked} to {effective}",
            )
        if place in self.moved_on:
            self.periods.expect(
                counts > max(self.moved_on[place]), f"{record.place}: counts in a period that is closed"
            )


def read_balances(reader: Reader) -> dict[str, Balance]:
    """Return the latest balance of each account, by key."""
    latest: dict[str, Balance] = {}
    for partition in range(reader.partitions(BALANCES)):
        for _, event in reader.events(BALANCES, partition):
            fields = event.fields
            key = f"{fields['tenant_id']}/{fields['account_id']}"
            names = [name for name in Balance._fields[1:] if name in fields]  # older versions say less
            latest[key] = Balance(partition, **{name: fields[name] for name in names})
    return latest


def check_balances(journal: Journal, balances: dict[str, Balance]) -> list[Check]:
    """Compare the latest balances with the fold, branch by branch."""
    same = Check("balances", "The latest balance of each account is the fold of its postings and holds.")
    pending: defaultdict[tuple[int, str], int] = defaultdict(int)
    for key in sorted(journal.accounts.keys() - balances.keys()):
        same.expect(False, f"{key} has postings and no balance")
    for key, stated in balances.items():
        folded = journal.accounts.get(key) or Folded(stated.partition, stated.currency)
        balance = folded.credits - folded.debits
        held = stated.debits_pending if folded.held is None else folded.held
        expected = stated._replace(
            partition=folded.partition,
            currency=folded.currency,
            debits_posted=folded.debits,
            credits_posted=folded.credits,
            balance_minor=balance,
            debits_pending=held,
            available_minor=balance - held,
            account_sequence=folded.sequence,
        )
        wrong = [name for name, is_, be in zip(Balance._fields, stated, expected, strict=True) if is_ != be]
        same.expect(not wrong, f"{key}: {', '.join(wrong)} differ from the postings")
        if min(stated.debits_pending, stated.credits_pending) < 0:
            same.fail(f"{key}: a pending counter is below zero")
        pending[stated.partition, stated.currency] += stated.debits_pending - stated.credits_pending
    branch = Check("pending", "Per branch and currency, what is held on debtors waits for creditors.")
    for (partition, currency), total in sorted(pending.items()):
        branch.expect(total == 0, f"branch {partition}: pending {currency} debits exceed credits by {total}")
    return [same, branch, _check_clearing(journal)]


def _check_clearing(journal: Journal) -> Check:
    check = Check("clearing", "The clearing accounts of all branches sum to zero when it is quiet.")
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for key, account in journal.accounts.items():
        tenant, _, account_id = key.partition("/")
        if account_id.startswith(CLEARING):
            sums[tenant, account.currency] += account.credits - account.debits
    for (tenant, currency), total in sorted(sums.items()):
        check.expect(total == 0, f"{tenant}: the {currency} clearing accounts sum to {total}")
    return check


def check_items(reader: Reader, journal: Journal) -> Check:
    """Every posting of a nostro account must have been handed to reconciliation, once."""
    check = Check("nostro_postings", "Each posting of a nostro account is a reconciliation item, once.")
    for partition in range(reader.partitions(ITEMS)):
        waiting = set(journal.nostro[partition]) if partition < len(journal.nostro) else set()
        for record, event in reader.events(ITEMS, partition):
            if event.name != "PostingRecorded":
                continue
            posting_id = event.fields["posting_id"]
            check.expect(
                posting_id in waiting, f"{record.place}: posting {posting_id} is unknown or there twice"
            )
            waiting.discard(posting_id)
        for posting_id in waiting:
            check.fail(f"branch {partition}: posting {posting_id} never reached reconciliation")
    return check
