"""Topics as events: what all checks read through. Counts records, and checks what every record must have.

Every record of a per-account topic must stand on the partition of its key (murmur2, as Kafka's Java client
does it), except that the ledger's own accounts (`$...:<branch>`) stand on the partition of their branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from pipeline.verify.decode import Decoder, Event
from pipeline.verify.log import Record, TopicLog
from pipeline.verify.report import Check

INPUTS = ("accounts", "payments", "journals", "trades", "prices", "statements")
COMMANDS, POSITION_COMMANDS, ITEMS = "ledger-commands", "position-commands", "reconciliation-items"
POSTINGS, BALANCES, PAYMENT_EVENTS = "postings", "balances", "payment-events"
JOURNAL_EVENTS = "journal-events"
POSITIONS, RESULTS, ALERTS, PAYMENT_ALERTS, DEAD_LETTERS = (
    "positions",
    "reconciliation-results",
    "fraud-alerts",
    "payment-alerts",
    "dead-letters",
)
INVARIANT_ALERTS, CLEARING_TOTALS = "invariant-alerts", "clearing-totals"
TOPICS = (
    *INPUTS,
    COMMANDS,
    POSITION_COMMANDS,
    ITEMS,
    POSTINGS,
    BALANCES,
    PAYMENT_EVENTS,
    JOURNAL_EVENTS,
    POSITIONS,
    RESULTS,
    ALERTS,
    PAYMENT_ALERTS,
    INVARIANT_ALERTS,
    CLEARING_TOTALS,
    DEAD_LETTERS,
)
"""All that is read."""
BRANCH_TOPICS = (POSTINGS, BALANCES, CLEARING_TOTALS)
"""What has the ledger's own accounts as keys; they stand on the partition of their branch."""
BROADCAST = {POSITION_COMMANDS: "PriceQuoted", COMMANDS: "PeriodClosed"}
"""What is copied to every partition of a log; its key says nothing about the partition."""

OnProgress = Callable[[str, int], None]
"""Told the topic that is being read and the records read of it so far."""

PROGRESS_EVERY = 20_000


class Read(NamedTuple):
    """One record and what it decodes to (None: it is no event)."""

    record: Record
    event: Event | None


@lru_cache(maxsize=500_000)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives a key."""
    return (int(murmur2(key)) & 0x7FFFFFFF) % partitions


class Reader:
    """Reads topics as events; the same partition may be read again."""

    def __init__(self, log: TopicLog, decoder: Decoder, on_progress: OnProgress | None = None) -> None:
        self._log = log
        self._decoder = decoder
        self._on_progress = on_progress
        self._checked: set[tuple[str, int]] = set()
        self.records: dict[str, int] = {}
        """Records by topic, each counted once however often it is read."""
        self.keys = Check("keys", "Every output record stands on the partition of its key.")
        self.readable = Check(
            "readable", "Every output record is an event of a registered schema, to its last byte."
        )

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic."""
        return self._log.partitions(topic)

    def raw(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield the records of a partition as they are."""
        first = (topic, partition) not in self._checked
        self._checked.add((topic, partition))
        counted = self.records.get(topic, 0)
        for number, record in enumerate(self._log.read(topic, partition), 1):
            if first:
                self.records[topic] = counted + number
            if self._on_progress is not None and number % PROGRESS_EVERY == 0:
                self._on_progress(topic, self.records.get(topic, 0))
            yield record

    def inputs(self, topic: str, partition: int) -> Iterator[Read]:
        """Yield the records of an input topic; some of them may be malformed."""
        for record in self.raw(topic, partition):
            yield Read(record, self._decoder.decode(record.value))

    def events(self, topic: str, partition: int) -> Iterator[tuple[Record, Event]]:
        """Yield the events of an output topic; deletions are left out, what is no event is a problem."""
        first = (topic, partition) not in self._checked
        broadcast = BROADCAST.get(topic)
        for record in self.raw(topic, partition):
            event = self._decoder.decode(record.value)
            if first:
                self.readable.expect(event is not None or record.value is None, record.place)
                # An alert of an invariant stands where it was found, whatever it is about.
                if topic != INVARIANT_ALERTS and (event is None or event.name != broadcast):
                    self._check_key(record)
            if event is not None:
                yield record, event

    def _check_key(self, record: Record) -> None:
        if record.key is None:
            self.keys.expect(False, f"{record.place} has no key")
            return
        # What follows the account (an instrument) does not count: all of an account is on one partition.
        tenant, account = [*record.key.split(b"/"), b""][:2]
        if account.startswith(b"$") and record.topic in BRANCH_TOPICS:  # others were only asked for
            expected = account.rpartition(b":")[2] == str(record.partition).encode()
        else:
            owner = partition_of(tenant + b"/" + account, self.partitions(record.topic))
            expected = owner == record.partition
        self.keys.expect(expected, f"{record.place} belongs to another partition by its key")
