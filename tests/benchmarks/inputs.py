"""What the jobs are fed, and what must come out: seeded events, produced before a worker is timed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from confluent_kafka import Producer

from pipeline.domain import events as ev
from pipeline.domain.partitions import partition_of
from pipeline.runtime.codec import Codec
from pipeline.runtime.settings import Settings

TENANT = "bench"
SUM_ACCOUNTS = 10_000
LEDGER_ACCOUNTS = 20_000
INITIAL_BALANCE_MINOR = 100_000_000
"""So much that every payment of a round goes through, whatever the number of payments."""
AMOUNT_MINOR_MAX = 5_000
CHUNK_EVENTS = 2_000


@dataclass
class SumInput:
    """The payments of the sum job as they stand in the log, by partition: (debtor, amount_minor)."""

    by_partition: list[list[tuple[str, int]]]

    def sums(self, read: Sequence[int] | None = None) -> Counter[str]:
        """Return the sum per debtor over the first `read[p]` payments of each partition p (default: all)."""
        totals: Counter[str] = Counter()
        for number, payments in enumerate(self.by_partition):
            for debtor, amount in payments if read is None else payments[: read[number]]:
                totals[debtor] += amount
        return totals


@dataclass
class LedgerInput:
    """The accounts and payments of one round of the ledger job, and what the ledger must make of them."""

    seed: str
    payments: int
    partitions: int
    balances: Counter[str] = field(default_factory=Counter)
    """Balance of each account after all payments, minor units."""
    crossing: int = 0
    """Payments whose creditor lives on another partition; filled while `decisions` is read."""

    @property
    def accounts(self) -> list[str]:
        """The account ids; a small run has few accounts, so that each still pays."""
        count = min(LEDGER_ACCOUNTS, max(8, self.payments // 5))
        return [f"acc-{self.seed}-{number:06d}" for number in range(count)]

    @property
    def commands(self) -> int:
        """Records of ledger-commands that the payments lead to: itself, and two for a leg elsewhere."""
        return self.payments + 2 * self.crossing

    def openings(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, account_opened)."""
        now = _now()
        for account in self.accounts:
            self.balances[account] = INITIAL_BALANCE_MINOR
            event = ev.AccountOpened(
                *_envelope(f"open-{account}", now),
                *(account, f"customer-of-{account}", "checking", "EUR", INITIAL_BALANCE_MINOR),
                *("retail", (), 0),
            )
            yield f"{TENANT}/{account}", event

    def decisions(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, payment_decided), all approved."""
        rng, accounts, now = random.Random(self.seed), self.accounts, _now()
        for number in range(self.payments):
            debtor, creditor = rng.sample(accounts, 2)
            amount = rng.randrange(1, AMOUNT_MINOR_MAX)
            self.balances[debtor] -= amount
            self.balances[creditor] += amount
            key = f"{TENANT}/{debtor}"
            elsewhere = partition_of(f"{TENANT}/{creditor}", self.partitions)
            self.crossing += elsewhere != partition_of(key, self.partitions)
            event = ev.PaymentDecided(
                *_envelope(f"{self.seed}-{number:032d}", now + number),
                *(f"pay-{self.seed}-{number}", debtor, creditor, amount, "EUR"),
                *("transfer", f"invoice {number}"),
                *("app", None, None, None),
                *("APPROVE", 0, (), "v1"),
            )
            yield key, event


def sum_events(count: int, partitions: int, into: SumInput) -> Iterator[tuple[str, Any]]:
    """Yield (key, payment_initiated) of the sum job, noting each in `into`; seeded."""
    rng, now = random.Random(1), _now()
    for number in range(count):
        debtor = f"acc-{rng.randrange(SUM_ACCOUNTS):07d}"
        amount = rng.randrange(1, AMOUNT_MINOR_MAX)
        key = f"{TENANT}/{debtor}"
        into.by_partition[partition_of(key, partitions)].append((debtor, amount))
        event = ev.PaymentInitiated(
            *_envelope(f"{number:032x}", now + number),
            *(f"pay-{number}", debtor, f"acc-{rng.randrange(SUM_ACCOUNTS):07d}", amount, "EUR"),
            *("transfer", f"invoice {number}"),
            *("app", None, None, None),
        )
        yield key, event


def produce(settings: Settings, codec: Codec, topic: str, keyed: Iterable[tuple[str, Any]]) -> int:
    """Write (key, event) pairs, in order per partition; return their number once Kafka has them all."""
    producer = Producer(
        {
            **settings.librdkafka(),
            "log_level": 3,  # a new broker makes its clients wait a little, and they warn of it
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1_000_000,
        }
    )
    failures: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failures.append(str(error))

    count = 0
    for chunk in _chunks(keyed):
        for (key, _), value in zip(chunk, codec.encode([event for _, event in chunk]), strict=True):
            _send(producer, topic, key.encode(), value, delivered)
        count += len(chunk)
        producer.poll(0)
    producer.flush()
    if failures:
        raise RuntimeError(f"{len(failures)} of {count} records did not reach {topic}: {failures[0]}")
    return count


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    upcoming = iter(items)
    while chunk := list(islice(upcoming, CHUNK_EVENTS)):
        yield chunk


def _send(producer: Producer, topic: str, key: bytes, value: bytes, delivered: Any) -> None:
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=delivered)
            return
        except BufferError:
            producer.poll(0.1)


def _envelope(event_id: str, at: int) -> tuple[str, str, int, str, None]:
    return event_id, TENANT, at, event_id, None


def _now() -> int:
    """Return the time, microseconds UTC."""
    return time.time_ns() // 1000
