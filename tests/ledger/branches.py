"""The branches of one ledger in memory: one log each, legs carried between them, the books always checked.

Nothing moves by itself: `put` appends a command to the log of its branch, `step` applies the next one there.
After every command the books of the branch must balance, and every account must be the fold of its postings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import BRANCH_EVENTS, BROADCAST, INTERNAL_PREFIX, record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.rows import Account, unpack_account
from pipeline.domain.ledger.stream import Ledger, LedgerRules

TENANT = "acme"
DAY = 86_400_000_000
"""Microseconds."""


Items = list[tuple[str, str, Any]]
"""Outputs: (topic, key, event); a record passed on has its event, and no key."""


class Branch:
    """One branch: its log, its rows, and what it has said."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Any, int]] = deque()
        self.log: list[tuple[Any, int]] = []
        """Every command applied, with the time it was recorded, microseconds."""
        self.rows = MemoryRows()
        self.said: Items = []
        self.dead: list[str] = []
        self.folded: dict[str, tuple[int, int, int]] = {}
        """(tenant/account) -> sequence, balance and what is held, from the journal alone."""
        self.invariants = MemoryRows()
        """Of the stream that checks the journal all the time."""
        self.through_clearing: dict[str, Any] = {}


def home_of(event: Any, count: int) -> int:
    """Return the branch on which an event belongs, of so many."""
    if type(event) in BRANCH_EVENTS and event.account_id.startswith(INTERNAL_PREFIX):
        branch: int = event.branch
        return branch
    return partition_of(record_key(event), count)


class Applies(Protocol):
    """A program that applies commands of a ledger, such as its rules."""

    def apply(self, number: int, branch: Branch, event: Any, recorded_at: int) -> tuple[str | None, Items]:
        """Apply one command to a branch; return the code of its dead letter or None, and its outputs."""


class ByRows:
    """The rules, row by row."""

    def __init__(self, count: int, rules: LedgerRules | None = None) -> None:
        self._count, self._ledger = count, Ledger(rules)

    def apply(self, number: int, branch: Branch, event: Any, recorded_at: int) -> tuple[str | None, Items]:
        """Apply one command to the rows of a branch."""
        if home_of(event, self._count) != number and type(event) not in BROADCAST:
            return "wrong_partition", []
        before, out = dict(branch.rows.data), Outbox()
        try:
            self._ledger.apply(event, Arrival(recorded_at, number, self._count), branch.rows, out)
        except Reject as reject:
            assert branch.rows.data == before and out.items == [], "a refused record has had an effect"
            return reject.code, []
        return None, with_passed_on(out.items, event)


def with_passed_on(items: Items, record: Any) -> Items:
    """Return the outputs of a record; where it was passed on itself, it stands for itself."""
    return [(topic, key, record if said is None else said) for topic, key, said in items]


class Branches:
    """The ledger as a whole; `recorded_at` is the time at which commands are appended from now on."""

    def __init__(
        self, count: int, rules: LedgerRules | None = None, *, engine: Applies | None = None
    ) -> None:
        self.engine = engine or ByRows(count, rules)
        self.branches = [Branch() for _ in range(count)]
        self.recorded_at = 0

    def put(self, event: Any) -> int:
        """Append a command to the log of its branch, a broadcast one to all; return which it belongs to."""
        if type(event) in BROADCAST:
            for branch in self.branches:
                branch.waiting.append((event, self.recorded_at))
            return 0
        partition = home_of(event, len(self.branches))
        self.branches[partition].waiting.append((event, self.recorded_at))
        return partition

    def step(self, partition: int) -> Items:
        """Apply the next command of a branch, check its books, carry its legs; return its outputs."""
        branch = self.branches[partition]
        event, recorded_at = branch.waiting.popleft()
        branch.log.append((event, recorded_at))
        code, items = self.engine.apply(partition, branch, event, recorded_at)
        branch.dead += [code] if code else []
        branch.said += items
        for topic, key, output in items:
            if topic == "ledger-commands":
                target = partition_of(key, len(self.branches))
                self.branches[target].waiting.append((output, recorded_at))
        check_books(branch, items)
        return items

    def deliver(self) -> Items:
        """Apply what waits on any branch until nothing does; return the outputs."""
        said = []
        while busy := [number for number, branch in enumerate(self.branches) if branch.waiting]:
            for number in busy:
                said += self.step(number)
        self.check_clearing()
        return said

    def check_clearing(self) -> None:
        """Check that what went through clearing is even in every hour of the day: nothing is on the way."""
        check_clearing(self.branches)

    def run(self, *commands: Any) -> Items:
        """Append commands, deliver everything and return the outputs."""
        for command in commands:
            self.put(command)
        return self.deliver()

    def account(self, account_id: str, tenant_id: str = TENANT) -> Account | None:
        """Return an account, on whichever branch it is."""
        for branch in self.branches:
            row = branch.rows.get(f"a\0{tenant_id}\0{account_id}".encode())
            if row is not None:
                return unpack_account(row)
        return None

    def said(self, kind: type) -> list[Any]:
        """Return every event of one class that the branches have emitted."""
        return [event for branch in self.branches for _, _, event in branch.said if type(event) is kind]

    def dead(self) -> list[str]:
        """Return the codes of every dead letter."""
        return [code for branch in self.branches for code in branch.dead]


def accounts(branch: Branch) -> dict[str, Account]:
    """Return the accounts of a branch by `tenant/account`."""
    found = {}
    for key, row in branch.rows.scan(b"a\0"):
        _, tenant_id, account_id = key.decode().split("\0")
        found[f"{tenant_id}/{account_id}"] = unpack_account(row)
    return found


def check_invariants(branch: Branch, journal: Iterable[Any]) -> None:
    """Check that the stream which checks the journal finds nothing."""
    out = Outbox()
    for event in journal:
        invariants.apply(event, Arrival(0, event.branch, 1), branch.invariants, out)
    assert [said for topic, _, said in out.items if topic == invariants.ALERTS] == []
    branch.through_clearing |= {key: said for topic, key, said in out.items if topic == invariants.TOTALS}


def check_clearing(branches: Iterable[Branch]) -> None:
    """Check that what went through clearing is even in every hour of the day: nothing is on the way."""
    hours: dict[tuple[str, str, int], int] = {}
    for branch in branches:
        for said in branch.through_clearing.values():
            key = said.tenant_id, said.currency, said.hour
            hours[key] = hours.get(key, 0) + said.debits_minor - said.credits_minor
    assert set(hours.values()) <= {0}, hours


def check_books(branch: Branch, items: Iterable[tuple[str, str, Any]]) -> None:
    """Check that postings and holds of the branch sum to zero, and that no account skips a posting."""
    entries: dict[str, int] = {}
    for topic, key, event in items:
        if topic != "postings":
            continue
        assert event.amount_minor > 0 and key == f"{event.tenant_id}/{event.account_id}"
        sequence, balance, held = branch.folded.get(key, (0, 0, 0))
        if isinstance(event, ev.HoldRecorded):
            change = event.amount_minor if event.change == "PLACED" else -event.amount_minor
            branch.folded[key] = (sequence, balance, held + change)
            assert (sequence, event.balance_minor, event.held_minor_after) == branch.folded[key]
            continue
        amount = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
        entries[event.entry_id] = entries.get(event.entry_id, 0) + amount
        assert event.held_minor_after in (held, held + amount if amount < 0 else held)
        branch.folded[key] = (sequence + 1, balance + amount, event.held_minor_after)
        assert (event.account_sequence, event.balance_minor_after) == branch.folded[key][:2]
    check_invariants(branch, [event for topic, _, event in items if topic == "postings"])
    assert set(entries.values()) <= {0}, "an entry has one debit and one credit of the same amount"
    posted: dict[str, int] = {}
    pending: dict[str, int] = {}
    for key, account in accounts(branch).items():
        assert min(account.debits_posted, account.credits_posted) >= 0
        assert min(account.debits_pending, account.credits_pending) >= 0
        folded = branch.folded.get(key, (0, 0, 0))
        assert (account.sequence, account.balance_minor, account.debits_pending) == folded
        posted[account.currency] = posted.get(account.currency, 0) + account.balance_minor
        pending[account.currency] = (
            pending.get(account.currency, 0) + account.credits_pending - account.debits_pending
        )
    assert set(posted.values()) <= {0}, "the postings of a branch sum to zero"
    assert set(pending.values()) <= {0}, "the holds of a branch sum to zero"


def clearing_total(ledger: Branches, currency: str = "EUR") -> int:
    """Return the sum of the clearing accounts of all branches: the money between them."""
    return sum(
        account.balance_minor
        for branch in ledger.branches
        for key, account in accounts(branch).items()
        if f"/$clearing:{currency}:" in key
    )


def replayed(branch: Branch, number: int, count: int, rules: LedgerRules | None = None) -> tuple[Any, bytes]:
    """Return the rows and the outputs (as bytes) that the branch's log gives when it is applied again."""
    ledger, rows = Ledger(rules), MemoryRows()
    said: Items = []
    for event, recorded_at in branch.log:
        out = Outbox()
        try:
            ledger.apply(event, Arrival(recorded_at, number, count), rows, out)
        except Reject:
            continue
        said += with_passed_on(out.items, event)
    return rows.data, said_bytes(said)


def said_bytes(items: Iterable[tuple[str, str, Any]]) -> bytes:
    """Return outputs as bytes, to compare two runs."""
    named = [(topic, key, type(event).__name__, event) for topic, key, event in items]
    return msgspec.msgpack.encode(named)


def envelope(event_id: str, occurred_at: int = 0, tenant_id: str = TENANT) -> dict[str, Any]:
    """Return the fields that every event has."""
    return {
        "event_id": event_id,
        "tenant_id": tenant_id,
        "occurred_at": occurred_at,
        "correlation_id": "test",
        "causation_id": None,
    }


def ticked(event_id: str, branch: int, occurred_at: int) -> ev.BranchTicked:
    """Return a tick of one branch."""
    about = envelope(event_id, occurred_at, "")
    return ev.BranchTicked(**about, account_id=f"$clock:{branch}", branch=branch)


def opened(event_id: str, account_id: str, balance_minor: int = 0, **changes: Any) -> ev.AccountOpened:
    """Return the opening of a checking account in EUR without an overdraft."""
    fields = {
        **envelope(event_id),
        "account_id": account_id,
        "customer_id": "customer",
        "account_type": "checking",
        "currency": "EUR",
        "initial_balance_minor": balance_minor,
        "regulatory_tier": "retail",
        "compliance_flags": (),
        "overdraft_limit_minor": 0,
    }
    return ev.AccountOpened(**{**fields, **changes})


def decided(
    event_id: str, payment_id: str, debtor: str, creditor: str, amount_minor: int, **changes: Any
) -> ev.PaymentDecided:
    """Return an approved transfer in EUR."""
    fields = {
        **envelope(event_id),
        "payment_id": payment_id,
        "debtor_account_id": debtor,
        "creditor_account_id": creditor,
        "amount_minor": amount_minor,
        "currency": "EUR",
        "payment_type": "transfer",
        "reference": f"reference of {payment_id}",
        "channel": None,
        "device_id": None,
        "counterparty_country": None,
        "merchant_category": None,
        "outcome": "APPROVE",
        "score": 0,
        "reasons": (),
        "rules_version": "test",
    }
    return ev.PaymentDecided(**{**fields, **changes})
