"""The fraud-freshness job: how long after a change of a payee payments to it are decided by what it says.

The whole product in one worker, a live model, payments of others at a steady rate besides. Two changes of
each payee are measured:

    receipt   a payee that never received anything gets its first payment; counts from the payment_settled
    label     that payment is labelled a fraud; counts from when the label is sent

From each change on an account of every partition pays the payee, again and again, until it is decided by the
payee's card: a rule that asks for what the card says is among the reasons of its decision. What is measured
is from the change to when the first payment that is decided so was sent, for every partition; so it is at
most PROBE_EVERY_S too long. These payments are held by a rule, so that the payee does not receive them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from tests.benchmarks import inputs, live_model, processes, product
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import PACED, percentiles
from tests.benchmarks.paced import PacedJob, Phase
from tests.fraud_publishing.publishing import published
from tests.fraud_rules.sets import rule, rule_set

BESIDE_PER_S = 200
"""Payments of others, a second."""
BESIDE_TIMES = 6
"""For so many times --seconds, unless all payees are measured before."""
ACCOUNTS = 4_000
"""Of the others; those that probe are among them, the payees after them."""
PAYEES_PER_S, PAYEES_AT_ONCE = 2, 2
"""How many are measured for each second of --seconds, and at one time: each is paid 80 times a second."""
PROBE_EVERY_S = 0.05
UNUSED_WITHIN_S = 60.0
"""A card that no payment was decided by after so long is lost."""
PROBE = "probe"
RECEIPT, LABEL = "receipt", "label"
KNOWN_BY = {RECEIPT: "known_receipt@1", LABEL: "known_label@1"}
"""The rule, and its version, that fires once a card says it."""
RULES = (
    rule(PROBE, f'channel == "{PROBE}"', outcome="REVIEW"),
    rule("known_receipt", "payee_payers_24h > 0", score=1),
    rule("known_label", "payee_frauds > 0", score=1),
)


@dataclass
class Payee:
    """A payee whose two changes are measured, one after the other."""

    account_id: str
    paid_by: str
    change: str = RECEIPT
    changed_at: float | None = None
    """Monotonic; None: the change that is next has not come yet."""
    unknown_to: set[int] = field(default_factory=set)
    """Partitions on which no payment was decided by the card yet."""


class Freshness:
    """Sends changes and probes, reads decisions; notes how long each change took on each partition."""

    def __init__(self, bench: Bench, probers: list[str], payees: list[Payee]) -> None:
        self._bench, self._probers = bench, probers
        self._ahead, self._active = payees[::-1], dict[str, Payee]()
        settings = bench.settings.librdkafka()
        self._producer = Producer({**settings, "partitioner": "murmur2_random", "linger.ms": 1})
        self._consumer = Consumer(
            {**settings, "group.id": "benchmark-freshness", "isolation.level": "read_committed",
             "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        )  # fmt: skip
        starts = bench.ends("ledger-commands", "payment-events")
        self._consumer.assign(
            [
                TopicPartition(topic, at, offset)
                for topic, of in starts.items()
                for at, offset in enumerate(of)
            ]
        )
        self._probes: dict[str, tuple[str, str, int, float]] = {}
        """Payee, change, partition and time of sending, by payment id."""
        self.waits_s: dict[str, list[float]] = {RECEIPT: [], LABEL: []}

    def run(self) -> None:
        """Measure all payees. Raises Inexact where a card is never used."""
        heard, probed_at = time.monotonic(), 0.0
        while self._ahead or self._active:
            now = time.monotonic()
            if self._ahead and len(self._active) < PAYEES_AT_ONCE:
                payee = self._ahead.pop()
                self._active[payee.account_id] = payee
                self._pay(f"first-{payee.account_id}", payee.paid_by, payee.account_id, "transfer")
            if now - probed_at >= PROBE_EVERY_S:
                probed_at = now
                self._probe()
            heard = time.monotonic() if self._listen() else heard
            if time.monotonic() - heard > UNUSED_WITHIN_S:
                raise Inexact(f"cards that are not used: {list(self._active.values())[:3]}")
        self._consumer.close()
        self._producer.flush()

    def _probe(self) -> None:
        for payee in self._active.values():
            for partition in sorted(payee.unknown_to if payee.changed_at is not None else ()):
                payment = f"{PROBE}-{len(self._probes)}-{payee.account_id}"
                self._probes[payment] = (payee.account_id, payee.change, partition, time.monotonic())
                self._pay(payment, self._probers[partition], payee.account_id, PROBE)
        self._producer.poll(0)

    def _listen(self) -> bool:
        """Read what has come; return whether a measurement came to an end."""
        message, values = self._consumer.poll(0.005), list[bytes]()
        while message is not None:
            if message.error() is None:
                values.append(message.value())
            message = self._consumer.poll(0) if len(values) < 500 else None
        ended = 0
        for event in self._bench.codec.decode(values).events if values else ():
            if isinstance(event, ev.PaymentSettled):
                self._settled(event)
            elif isinstance(event, ev.PaymentDecided) and event.payment_id in self._probes:
                ended += self._decided(event)
        return ended > 0

    def _settled(self, event: ev.PaymentSettled) -> None:
        payee = self._active.get(event.payment_id.removeprefix("first-"))
        if payee is not None and payee.changed_at is None:
            self._changes(payee, RECEIPT)

    def _decided(self, event: ev.PaymentDecided) -> bool:
        account_id, change, partition, sent_at = self._probes[event.payment_id]
        payee = self._active.get(account_id)
        if payee is None or (payee.change, payee.changed_at is None) != (change, False):
            return False
        used = any(reason.rule == KNOWN_BY[change] for reason in event.reasons)
        if not used or partition not in payee.unknown_to:
            return False
        payee.unknown_to.remove(partition)
        assert payee.changed_at is not None
        self.waits_s[change].append(sent_at - payee.changed_at)
        if not payee.unknown_to and change == RECEIPT:
            self._changes(payee, LABEL)
            self._send("fraud-labels", _labelled(payee))
        elif not payee.unknown_to:
            del self._active[account_id]
        return True

    def _changes(self, payee: Payee, change: str) -> None:
        payee.change, payee.changed_at = change, time.monotonic()
        payee.unknown_to = set(range(len(self._probers)))

    def _pay(self, payment: str, debtor: str, creditor: str, channel: str) -> None:
        fields = (payment, debtor, creditor, 10_00, "EUR", "transfer", payment, channel)
        self._send("payments", ev.PaymentInitiated(*envelope(payment, now_us()), *fields))

    def _send(self, topic: str, event: Any) -> None:
        (value,) = self._bench.codec.encode([event])
        self._producer.produce(topic, value, record_key(event).encode())
        self._producer.poll(0)


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has accounts and payees of its own."""

    def ours(number: int) -> dict[str, Any]:
        name = f"freshness-{number}"
        count = max(1, int(PAYEES_PER_S * bench.sizes.seconds))
        job = PacedJob(name, ACCOUNTS, False, [Phase(BESIDE_PER_S, BESIDE_TIMES * bench.sizes.seconds)])
        everybody = job._replace(accounts=ACCOUNTS + count)
        payees = [Payee(everybody.account(ACCOUNTS + at), job.account(at)) for at in range(count)]
        with product.worker(bench, name) as worker:
            product.open_accounts(bench, everybody)
            inputs.write(bench.settings, "fraud-rules", _publications(bench))
            given = {"job": job, "topic": "payments", "settings": bench.overrides(name)}
            with processes.Process(processes.module(PACED, given), bench.log(f"{name}-paced")) as load:
                load.wait_for(lambda line: "ready" in line)
                freshness = Freshness(bench, _probers(bench, job, count), payees)
                load.tell("go")
                freshness.run()
            told = {
                f"{change}_{key}": value
                for change, of in freshness.waits_s.items()
                for key, value in percentiles(np.array(of) * 1000).items()
            }
            return {**told, "payees": count, "rss_mib": worker.rss_mib}

    return {"fraud_freshness": ours}


def _publications(bench: Bench) -> list[inputs.Record]:
    """Return records of the live model and of rules that say what a card says."""
    rules = rule_set(*RULES, set_id=PROBE)
    events = [event for _, event in live_model.published(0)]
    events.append(published(rules))
    values = inputs.encode(bench.codec, events)
    return [
        inputs.Record(record_key(event).encode(), value) for event, value in zip(events, values, strict=True)
    ]


def _probers(bench: Bench, job: PacedJob, but: int) -> list[str]:
    """Return an account of each partition, none of the first `but`."""
    partitions = bench.settings.partitions
    found: dict[int, str] = {}
    for at in range(but, job.accounts):
        found.setdefault(partition_of(f"{TENANT}/{job.account(at)}", partitions), job.account(at))
    return [found[partition] for partition in range(partitions)]


def _labelled(payee: Payee) -> ev.PaymentLabelled:
    now, payment = now_us(), f"first-{payee.account_id}"
    fields = (payment, payee.paid_by, payee.account_id, "FRAUD", "CHARGEBACK", now)
    return ev.PaymentLabelled(*envelope(f"label-{payment}", now), *fields)
