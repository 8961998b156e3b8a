"""Payments at a given rate, on a schedule that waits for nobody: the load of the latency and views jobs.

`python -m tests.benchmarks.paced '{"job": ..., "settings": {...}, "topic": ...}'` says `ready` once all of it
is encoded. Each phase waits for a line, and says when it started (monotonic clock) and when it has ended;
`done` is the end. Payment i of a phase is due at its start + i / rate, whatever became of those before: who
waits for an answer that is late measures from the time it was due, not from when there was room to send it
(no coordinated omission).
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from confluent_kafka import Producer

from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.settings import load_settings
from tests.benchmarks.inputs import AMOUNT_MINOR_MAX, TENANT, encode, envelope, now_us

LINGER_MS = 1
STEP_S = 0.0005
"""How often the schedule is looked at; at the higher rates several payments are due by then."""
PAUSE_S = 0.1
"""Before a phase, so that whoever waits for it hears of its start."""
CHUNK = 5_000


class Phase(NamedTuple):
    """A rate that is kept up for a while."""

    per_s: int
    seconds: float

    @property
    def payments(self) -> int:
        return int(self.per_s * self.seconds)


class PacedJob(NamedTuple):
    """Payments of `accounts` accounts, seeded: both ends know them without telling each other."""

    seed: str
    accounts: int
    decided: bool
    """Whether they are payment_decided (for the ledger), else payment_initiated."""
    phases: list[Phase]
    tenant: str = TENANT

    @classmethod
    def of(cls, given: list[Any]) -> PacedJob:
        """Return the job that came as JSON."""
        seed, accounts, decided, phases, tenant = given
        return cls(seed, accounts, decided, [Phase(*phase) for phase in phases], tenant)

    def account(self, place: int) -> str:
        """Return the id of an account."""
        return f"acc-{self.seed}-{place:06d}"

    def payment_id(self, number: int) -> str:
        """Return the id of a payment."""
        return f"pay-{self.seed}-{number}"

    def payments(self) -> Iterator[tuple[int, int, int]]:
        """Yield debtor, creditor, amount of every payment of all phases, in order.

        The accounts take turns: one that pays many others at once would be held by the fraud rules.
        """
        rng = random.Random(self.seed)
        turns = rng.sample(range(self.accounts), self.accounts)
        for number in range(sum(phase.payments for phase in self.phases)):
            debtor = turns[number % self.accounts]
            creditor = (debtor + 1 + rng.randrange(self.accounts - 1)) % self.accounts
            yield debtor, creditor, rng.randrange(1, AMOUNT_MINOR_MAX)

    def _starts(self) -> list[float]:
        """Return when each phase starts, seconds, if one follows the other."""
        return [0.0, *itertools.accumulate(phase.seconds for phase in self.phases)][:-1]

    def events(self) -> Iterator[tuple[bytes, Any]]:
        """Yield (key, event) of every payment."""
        now = now_us()
        due_us = [
            start * 1_000_000 + at * 1_000_000 // phase.per_s
            for start, phase in zip(self._starts(), self.phases, strict=True)
            for at in range(phase.payments)
        ]
        for number, (debtor, creditor, amount) in enumerate(self.payments()):
            fields = (
                *envelope(f"{self.seed}-{number:032d}", now + int(due_us[number]), self.tenant),
                *(self.payment_id(number), self.account(debtor), self.account(creditor), amount, "EUR"),
                *("transfer", f"invoice {number}", "app", None, None, None),
            )
            key = f"{self.tenant}/{self.account(debtor)}".encode()
            if self.decided:
                yield key, ev.PaymentDecided(*fields, "APPROVE", 0, (), "v1")
            else:
                yield key, ev.PaymentInitiated(*fields, None, None)


def send(
    producer: Producer, topic: str, records: list[tuple[bytes, bytes]], per_s: int, start: float
) -> float:
    """Send records as they fall due from `start` on; return by how much the latest was late, seconds."""
    sent, late = 0, 0.0
    while sent < len(records):
        now = time.monotonic()
        due = min(len(records), int((now - start) * per_s) + 1) if now >= start else 0
        if due > sent:
            late = max(late, now - start - sent / per_s)
        for key, value in records[sent:due]:
            producer.produce(topic, value, key)
        sent = max(sent, due)
        producer.poll(0)
        time.sleep(STEP_S)
    return late


def main() -> None:
    """Produce what the first argument says."""
    given = json.loads(sys.argv[1])
    settings = load_settings(**given["settings"])
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    job = PacedJob.of(given["job"])
    records = _encoded(Codec(registry), job)
    config = {"partitioner": "murmur2_random", "linger.ms": LINGER_MS, "log_level": 3}
    producer = Producer({**settings.librdkafka(), **config, "queue.buffering.max.messages": 1_000_000})
    producer.list_topics(given["topic"], timeout=30)
    _say(ready=True)
    first = 0
    for number, phase in enumerate(job.phases):
        sys.stdin.readline()
        start = time.monotonic() + PAUSE_S
        _say(phase=number, started_at=start)
        last = first + phase.payments
        late = send(producer, given["topic"], records[first:last], phase.per_s, start)
        producer.flush()
        _say(ended=number, late_ms=round(late * 1000, 2))
        first = last
    _say(done=True)


def _encoded(codec: Codec, job: PacedJob) -> list[tuple[bytes, bytes]]:
    events = list(job.events())
    records = []
    for start in range(0, len(events), CHUNK):
        chunk = events[start : start + CHUNK]
        values = encode(codec, [event for _, event in chunk])
        records += [(key, value) for (key, _), value in zip(chunk, values, strict=True)]
    return records


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
