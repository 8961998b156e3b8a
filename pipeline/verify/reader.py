"""Topics as decoded records: what all checks read through. Counts them, and checks what every one must have.

Every record of a per-account topic must stand on the partition of its key (murmur2, as Kafka's Java client
does it), except that the ledger's own accounts (`$...:<branch>`) stand on the partition of their branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pipeline.verify.decode import Decoder
from pipeline.verify.findings import Findings, about
from pipeline.verify.log import Record as Raw
from pipeline.verify.log import TopicLog
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    BALANCES,
    BROADCAST,
    CLEARING_TOTALS,
    COMMANDS,
    DEAD_LETTERS,
    INVARIANT_ALERTS,
    PARTIES,
    POSTINGS,
    UPSTREAM,
    home_of,
)
from pipeline.verify.numbers import number_in
from pipeline.verify.streams import ALL, OUTPUTS, SOURCES, WRITTEN, Only

TOPICS = tuple(dict.fromkeys((*SOURCES, *OUTPUTS, PARTIES)))
"""All that is read."""
BRANCH_TOPICS = (POSTINGS, BALANCES, CLEARING_TOTALS)
"""What has the ledger's own accounts as keys; they stand on the partition of their branch."""

OnProgress = Callable[[str, int], None]
"""Told the topic that is being read and the records read of it so far."""

PROGRESS_EVERY = 20_000


class Reader:
    """Reads topics; the same partition may be read again. It is what a `Comparison` compares (`Topics`)."""

    def __init__(
        self, log: TopicLog, decoder: Decoder, findings: Findings, on_progress: OnProgress | None = None
    ) -> None:
        self._log = log
        self._decoder = decoder
        self._findings = findings
        self._on_progress = on_progress
        self._checked: set[tuple[str, int]] = set()
        self.count = log.partitions(COMMANDS)
        self.records: dict[str, int] = {}
        """Records by topic, each counted once however often it is read."""

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic."""
        return self._log.partitions(topic)

    @property
    def skipped(self) -> Iterator[tuple[str, int, int, int, str]]:
        """Yield the batches that could not be read: topic, partition, first and last offset, code."""
        for topic, partition, batch in self._log.skipped:
            yield topic, partition, batch.first, batch.offset, batch.code

    def _raw(self, topic: str, partition: int) -> Iterator[Raw]:
        """Yield the records of a partition as they are; look at their keys the first time."""
        first = (topic, partition) not in self._checked
        self._checked.add((topic, partition))
        counted = self.records.get(topic, 0)
        # An alert of an invariant stands where it was found, whatever it is about.
        keyed = first and topic not in (*UPSTREAM, INVARIANT_ALERTS, DEAD_LETTERS)
        unmarked = topic not in WRITTEN
        for number, record in enumerate(self._log.read(topic, partition), 1):
            if first:
                self.records[topic] = counted + number
            if keyed and (unmarked or self._decoder.name_of(record.value) not in BROADCAST):
                self._check_key(record)
            if self._on_progress is not None and number % PROGRESS_EVERY == 0:
                self._on_progress(topic, self.records.get(topic, 0))
            yield record

    def letters(self, partition: int) -> Iterator[Record]:
        """Yield the dead letters of a partition."""
        for raw in self._raw(DEAD_LETTERS, partition):
            yield _record(raw, None, {}, None)

    def source(self, topic: str, partition: int) -> Iterator[Record]:
        """Yield what a stream reads."""
        upstream = topic in UPSTREAM
        for raw in self._raw(topic, partition):
            record = _record(raw, *self._decoder.read(raw.value))
            if not upstream:
                self._check_readable(record)
            yield record._replace(foreign=True) if self._decoder.is_foreign(raw.value) else record

    def output(self, topic: str, partition: int, events: Only = ALL, again: bool = False) -> Iterator[Record]:
        """Yield what carries some events; `again`: whether that is read elsewhere, too, and checked there."""
        for raw in self._raw(topic, partition):
            if events is not ALL and not events(self._decoder.name_of(raw.value)):
                continue
            record = _record(raw, *self._decoder.read(raw.value))
            if not again:
                self._check_readable(record)
            if record.event is not None or record.value is not None:  # a deletion says nothing
                yield record

    def _check_readable(self, record: Record) -> None:
        self._findings.count("readable")
        if record.event is None and record.value is not None:
            self._findings.wrong(about("readable", f"{record.topic}[{record.partition}]@{record.offset}"))

    def _check_key(self, record: Raw) -> None:
        self._findings.count("keys")
        if record.key is None:
            return self._findings.wrong(about("keys", f"{record.place} has no key"))
        if record.partition != _owner_of(record.key, record.topic in BRANCH_TOPICS, self.count):
            self._findings.wrong(about("keys", f"{record.place} belongs to another partition by its key"))


@lru_cache(maxsize=500_000)
def _owner_of(key: bytes, branches: bool, partitions: int) -> int:
    """Return the partition that a key belongs to, -1 where there is none.

    What follows the account (an instrument) does not count: all of an account is on one partition.
    `branches`: whether the topic has accounts of branches (elsewhere they were only asked for). What is of no
    tenant, a tick, is of its branch.
    """
    tenant, account = [*key.split(b"/"), b""][:2]
    if account.startswith(b"$") and (branches or not tenant):
        number = number_in(account.rpartition(b":")[2])
        return -1 if number is None else number
    return home_of((tenant + b"/" + account).decode(errors="replace"), partitions)


def _record(raw: Raw, event: str | None, fields: dict[str, Any], fault: str | None) -> Record:
    topic, partition, offset, key, value, headers, recorded_at = raw
    return Record(topic, partition, offset, recorded_at // 1_000, key, value, headers, event, fields, fault)
