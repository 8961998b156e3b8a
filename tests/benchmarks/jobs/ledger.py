"""The full ledger job: payments decided in the log -> reserve, legs elsewhere and back, settle, journal.

The accounts of a round are opened by a worker before the clock starts. Every payment goes through.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from tests.benchmarks.bench import TUNINGS, Bench, Tuning, rated
from tests.benchmarks.exactness import Offsets, agreeing, expect
from tests.benchmarks.inputs import AMOUNT_MINOR_MAX, TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run

SOURCE = "ledger-commands"
ACCOUNTS = 20_000
INITIAL_BALANCE_MINOR = 100_000_000
"""So much that every payment of a round goes through, whatever the number of payments."""


@dataclass
class LedgerInput:
    """The accounts and payments of one round, and what the ledger must make of them."""

    seed: str
    payments: int
    partitions: int
    accounts_wanted: int | None = None
    """How many accounts; by default as many as suit the payments."""
    balances: Counter[str] = field(default_factory=Counter)
    """Balance of each account after all payments, minor units."""
    crossing: int = 0
    """Payments whose creditor lives on another partition; filled while `decisions` is read."""

    @property
    def accounts(self) -> list[str]:
        """The account ids; a small run has few accounts, so that each still pays."""
        count = self.accounts_wanted or max(8, min(ACCOUNTS, self.payments // 5))
        return [f"acc-{self.seed}-{number:06d}" for number in range(count)]

    @property
    def commands(self) -> int:
        """Records of ledger-commands that the payments lead to: itself, and two for a leg elsewhere."""
        return self.payments + 2 * self.crossing

    def openings(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, account_opened)."""
        now = now_us()
        for account in self.accounts:
            self.balances[account] = INITIAL_BALANCE_MINOR
            event = ev.AccountOpened(
                *envelope(f"open-{account}", now),
                *(account, f"customer-of-{account}", "checking", "EUR", INITIAL_BALANCE_MINOR),
                *("retail", (), 0),
            )
            yield f"{TENANT}/{account}", event

    def decisions(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, payment_decided), all approved."""
        rng, accounts, now = random.Random(self.seed), self.accounts, now_us()
        for number in range(self.payments):
            debtor, creditor = rng.sample(accounts, 2)
            amount = rng.randrange(1, AMOUNT_MINOR_MAX)
            self.balances[debtor] -= amount
            self.balances[creditor] += amount
            key = f"{TENANT}/{debtor}"
            elsewhere = partition_of(f"{TENANT}/{creditor}", self.partitions)
            self.crossing += elsewhere != partition_of(key, self.partitions)
            event = ev.PaymentDecided(
                *envelope(f"{self.seed}-{number:032d}", now + number),
                *(f"pay-{self.seed}-{number}", debtor, creditor, amount, "EUR"),
                *("transfer", f"invoice {number}"),
                *("app", None, None, None),
                *("APPROVE", 0, (), "v1"),
            )
            yield key, event


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who keeps the ledger; every round has accounts and payments of its own."""

    def ours(number: int) -> dict[str, Any]:
        app_id = f"ledger-{number}"
        start = bench.ends(SOURCE, "postings", "payment-events")
        bench.start_at(app_id, {SOURCE: start[SOURCE]})
        job = LedgerInput(f"r{number}", bench.sizes.payments, bench.settings.partitions)
        open_accounts(bench, app_id, job)
        bench.produce(SOURCE, job.decisions())
        found = bench.run_ours("ledger", app_id, job.commands)
        return rated(found, job.payments, postings=check(bench, start, job))

    def kafka_streams(tuning: Tuning, number: int) -> dict[str, Any]:
        app_id = f"ledger-{tuning.name}-{number}"
        start = bench.ends(SOURCE, "postings", "payment-events")
        bench.start_at(app_id, {SOURCE: start[SOURCE]})
        job = LedgerInput(f"{tuning.name}-{number}", bench.sizes.payments, bench.settings.partitions)
        opened = bench.produce(SOURCE, job.openings())
        bench.produce(SOURCE, job.decisions())
        # Half of the work comes before its clock starts: its code is compiled by then.
        counts = {"records": opened + job.commands, "warmup_records": opened + job.commands // 2}
        found = bench.run_kafka_streams(bench.kafka_streams("ledger", app_id, SOURCE, tuning, **counts))
        return rated(found, job.payments // 2, postings=check(bench, start, job))

    peers: dict[str, Run] = {}
    if bench.peers.kafka_streams:
        peers = {f"ledger_{tuning.name}": partial(kafka_streams, tuning) for tuning in TUNINGS}
    return {**peers, "ledger": ours}


def open_accounts(bench: Bench, app_id: str, job: LedgerInput) -> None:
    """Have a worker open a round's accounts, untimed."""
    opened = bench.produce(SOURCE, job.openings())
    bench.run_ours("ledger", app_id, opened)


def check(bench: Bench, start: Offsets, job: LedgerInput) -> int:
    """Raise Inexact unless every payment settled once and the journal adds up; return its postings' number.

    Per branch the postings sum to zero; an account's sequence has no gap, and each posting's balance is the
    one before it plus its amount; every account ends at the balance that the generator knows, with no hold.
    """
    balances: Counter[str] = Counter()
    held: Counter[str] = Counter()
    sequences: Counter[str] = Counter()
    branches: Counter[int] = Counter()
    ids: set[str] = set()
    count = wrong = 0
    for event in bench.read("postings", start):
        account = event.account_id
        if isinstance(event, ev.HoldRecorded):
            held[account] += event.amount_minor if event.change == "PLACED" else -event.amount_minor
            wrong += event.held_minor_after != held[account]
            continue
        held[account] = event.held_minor_after
        amount = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
        balances[account] += amount
        sequences[account] += 1
        branches[event.branch] += amount
        ids.add(event.posting_id)
        count += 1
        wrong += (
            event.balance_minor_after != balances[account] or event.account_sequence != sequences[account]
        )
    expect("postings and holds with a wrong balance or sequence", wrong, 0)
    expect("postings with an id of their own", len(ids), count)
    expect("branches that sum to zero", sum(not total for total in branches.values()), len(branches))
    expect("accounts that hold nothing any more", sum(not amount for amount in held.values()), len(held))
    expect("accounts with the right balance", agreeing(balances, job.balances), len(job.balances))
    outcomes = Counter(type(event).__name__ for event in bench.read("payment-events", start))
    expect("outcomes", outcomes, Counter(PaymentReserved=job.payments, PaymentSettled=job.payments))
    return count
