"""One partition of a log at work: apply batches, commit them in transactions.

    PartitionBatch -> decode -> placement -> rules, in columns or one by one -> rows (overlay), outputs (unit)
    unit -> encode -> Kafka transaction (outputs, changelog, source offset) -> rows to RocksDB

Most logs have one stream. Several streams of one log advance together: each has rules and a table of its own,
a record goes through all of them, and one transaction holds the results. The first stream decides which
records are dead letters. A stream that is new to an old log reads it from its beginning; the others wait.

Applying waits only for a transaction that takes long: meanwhile batches gather in a unit, which goes with
the next one: small when idle, large under load. Its rows, outputs and offset are taken in one step.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.domain.kernel.columns import BatchPath
from pipeline.domain.kernel.layouts import UnreadableRow
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.runtime.at_work import APPLIES, NOWHERE, Marks
from pipeline.runtime.avro.codec import Codec, Decoded, Frame
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.kafka.dead_letters import Reason, letter_of, letter_of_batch
from pipeline.runtime.kafka.fetched import DeadBatch, PartitionBatch
from pipeline.runtime.kafka.records import Destination, OutputRecord, rows_as_records
from pipeline.runtime.kafka.topics import bytes_max_of
from pipeline.runtime.placement import Placement
from pipeline.runtime.reading import Read, RecordReader
from pipeline.runtime.runs import run_of
from pipeline.runtime.slices import SLICE_RECORDS_MAX, Slices
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Counted, Machine
from pipeline.runtime.transactions import Contribution, Source, Transactions
from pipeline.runtime.unit import Unit, ready

SINGLES_AFTER_STOP = 64
"""Where the batch path must stop, records are applied one by one before it is tried again: one at first,
twice as many each time up to this number, until the batch path gets further than this."""


class PartitionTask:
    """One partition of a log and its streams, from its assignment to its revocation."""

    def __init__(
        self,
        machines: Sequence[Machine],
        partition: int,
        partitions: int,
        *,
        codec: Codec,
        transactions: Transactions,
        group: str,
        turn: asyncio.Lock,
        at_work: Marks = NOWHERE,
    ) -> None:
        """`machines`: the streams of the log, with their rows; one at least."""
        self.spec = spec = machines[0].spec
        self.partition = partition
        self._source = spec.source, partition
        self.position: int | None = None
        """Where the next batch must start; None where the log is read from its beginning. It moves before
        anything of a batch is applied, so where it is what is committed, nothing is under way."""
        self.committed: int | None = None
        self.applied_records = 0
        self.dead_letters = self._unread = 0
        self.alerts = 0
        """How many broken invariants its streams have reported."""
        self.counted: Counted | None = None
        """As of the last slice; None before it, and while a new stream reads what the others have applied."""
        self._partitions = partitions
        self._codec = codec
        self._transactions = transactions
        self.machines = machines
        self._group = group
        self._unit = Unit(partition, partitions)
        self._reader = RecordReader(codec, Placement(partition, partitions), bytes_max_of(spec.source))
        by_columns = [machine.spec.columns_from for machine in machines if machine.spec.batch is not None]
        self._columns_from = max(by_columns, default=sys.maxsize)
        self._progress = asyncio.Event()
        self._turn = turn
        self._at_work = at_work
        self._singly_below = at_work.singly_below(spec.source, partition)
        self._closed = False
        self._slices = Slices(max(machine.spec.slice_records for machine in machines))

    @property
    def streams(self) -> list[str]:
        """The names of the streams of the log."""
        return [machine.spec.name for machine in self.machines]

    @property
    def stores(self) -> dict[Destination, PartitionStore]:
        """The rows of the streams, by changelog and partition."""
        return {
            (machine.changelog, self.partition): machine.store
            for machine in self.machines
            if machine.changelog is not None and machine.store is not None
        }

    @property
    def at_rest(self) -> bool:
        """Whether all that it was given is applied and committed."""
        return self.position == self.committed

    async def accept(self, batch: PartitionBatch) -> None:
        """Apply a batch and have it committed; wait only while too much is uncommitted.

        `turn` is shared by the tasks of a worker: between any two slices, of whichever task, the event loop
        runs, so that transactions proceed while batches are applied; one that takes long is waited for. The
        unit is complete after every slice. Raises RuntimeError where the batch does not start where the last
        one ended, and as `Codec.decode`.
        """
        if batch.start != self.position:
            task = f"{self.spec.name}-{self.partition}"
            raise RuntimeError(f"{task}: a batch starts at {batch.start}, expected {self.position}")
        self.position = batch.end
        try:
            await self._apply_in_slices(batch)
        except BaseException:
            self.position = batch.start
            raise

    async def _apply_in_slices(self, batch: PartitionBatch) -> None:
        records, stop = batch.records, 0
        records_end = batch.end if batch.dead is None else batch.dead.first
        while stop < len(records):
            async with self._turn:
                if self._closed:
                    return  # the partition's next owner resumes from what is committed
                size = self._slices.size if records[stop].offset >= self._singly_below else 1
                start, stop = stop, min(stop + size, len(records))
                self._apply_timed(records[start:stop])
                end = self._unit.end = records_end if stop == len(records) else records[stop].offset
                if all(machine.start <= records[start].offset for machine in self.machines):
                    self.counted = Counted(end, self.applied_records, self.dead_letters, self._unread)
                self._transactions.want(self)
                await asyncio.sleep(0)
                await self._transactions.give_way()
            while self._unit.is_full:
                self._progress.clear()
                await self._progress.wait()
        if batch.dead is not None:
            async with self._turn:
                if not self._closed:
                    self._bury_batch(batch.dead, batch.end)

    def _bury_batch(self, dead: DeadBatch, end: int) -> None:
        """Make offsets whose records are not given one dead letter; the unit reaches to `end` then."""
        start = max(dead.first, self.machines[0].start)
        if start <= dead.offset:
            self._add_letter(letter_of_batch(dead, start, self._source, self.spec.name, self._group))
        self._unread += 1
        self._unit.records += 1
        self._unit.end = end
        self._transactions.want(self)

    def expect(self, position: int | None, *, stale: bool = False) -> None:
        """Take the offset that the log is resumed at; `stale`: the group had an older one, so commit it."""
        self.position = self.committed = position
        if stale:
            self._unit.end = position
            self._transactions.want(self)

    def say(self, topic: str, key: str, event: Any) -> bool:
        """Write an event if the task is at rest; return whether it is. Its offset is committed once more."""
        if self._closed or self.position is None or not self.at_rest:
            return False
        self._unit.add(topic, key, event)
        self.expect(self.position, stale=True)
        return True

    def _apply_timed(self, records: list[Any]) -> None:
        """Apply a slice; how long it takes decides how long the next ones are."""
        started = time.monotonic()
        self._at_work.on(APPLIES, self.spec.source, self.partition, records[0].offset, records[-1].offset)
        self.apply(records)
        self._at_work.off(APPLIES)
        self._slices.took(len(records), time.monotonic() - started)

    def apply(self, records: list[Any]) -> None:
        """Apply records to the rows and the unit: each one has its effect or becomes a dead letter.

        Raises as `Codec.decode`, and WorkerFault for a row that cannot be decoded.
        """
        read: Read | None = None
        length = 0
        for machine in self.machines:
            unread = machine.unread(records)
            if not unread:
                continue
            if read is None or len(unread) != length:
                length = len(unread)
                read = self._reader.read(unread, length >= self._columns_from)
            try:
                self._apply_read(machine, unread, read)
            except UnreadableRow as error:
                raise machine.fault_of(error, self.partition) from None
        self._unit.records += len(records)
        self.applied_records += len(records)

    def _apply_read(self, machine: Machine, records: list[Any], read: Read) -> None:
        """Apply decoded records to one stream, in columns where they came so and it takes them."""
        length = len(records)
        if isinstance(read.events, Decoded):
            self._apply_singly(machine, records, read.events.events, read.refused(0, length))
        elif machine.spec.batch is None:
            self._apply_singly(machine, records, read.events.events(0, length), read.refused(0, length))
        else:
            self._apply_columns(machine, machine.spec.batch, records, read.events, read)

    def _apply_columns(
        self, machine: Machine, by_batch: BatchPath, records: list[Any], frame: Frame, read: Read
    ) -> None:
        """Apply runs of records in columns, and one by one those that the batch path leaves.

        The batch path looks at a whole run before it finds the first record that it must leave, so runs get
        shorter where such a record is near, and longer again.
        """
        run = run_of(by_batch, records, frame, self.partition, self._partitions)
        position, length, left = 0, SLICE_RECORDS_MAX, 1
        while position < len(records):
            tried = run.slice(position, min(position + length, len(records)))
            applied, outputs = by_batch.apply(tried, machine.store)
            self._unit.add_run([ready(part, records, position) for part in outputs])
            position += applied
            shorter = max(2 * applied, self._columns_from)
            length = min(2 * length, SLICE_RECORDS_MAX) if applied == len(tried) else shorter
            if applied >= SINGLES_AFTER_STOP:
                left = 1
            if applied:
                continue
            stop = min(position + left, len(records))
            refused = read.refused(position, stop)
            self._apply_singly(machine, records[position:stop], frame.events(position, stop), refused)
            position, left = stop, min(2 * left, SINGLES_AFTER_STOP)

    def _apply_singly(
        self, machine: Machine, records: list[Any], events: list[Any], refused: list[Reason | None]
    ) -> None:
        store, rules, out = machine.store, machine.spec.rules, Outbox()
        if store is not None:
            store.prefetch(key for event in events if event is not None for key in rules.keys(event))
        for record, event, reason in zip(records, events, refused, strict=True):
            if reason is not None:
                self._bury(machine, record, reason)
                continue
            try:
                at = Arrival(record.timestamp * 1000, self.partition, self._partitions, record.offset)
                rules.apply(event, at, store, out)
            except Reject as reject:
                self._bury(machine, record, Reason("Rejected", reject.code, reject.detail))
                continue
            if out.items:
                self.alerts += self._unit.collect(out.items, record)
                out.items.clear()

    def _bury(self, machine: Machine, record: Any, reason: Reason) -> None:
        """Make a record a dead letter if the log's first stream refuses it; the others only leave it out."""
        if machine is not self.machines[0]:
            return
        self._add_letter(letter_of(record, self._source, reason, self.spec.name, self._group))

    def _add_letter(self, letter: OutputRecord) -> None:
        self._unit.add_record(DEAD_LETTERS, self.partition, letter)
        self.dead_letters += 1

    def take(self) -> Contribution:
        """Hand over the unit, encoded, with the rows that it has changed."""
        unit, self._unit = self._unit, Unit(self.partition, self._partitions)
        assert unit.end is not None
        ends = [max(unit.end, machine.start) for machine in self.machines]
        taken = [(one, end, one.take(end)) for one, end in zip(self.machines, ends, strict=True)]
        outputs, count = unit.encoded(self._codec), unit.outputs
        sources = []
        for machine, end, rows in taken:
            count += len(rows)
            if rows and machine.changelog is not None:
                outputs[machine.changelog, self.partition] = rows_as_records(rows)
            sources.append(Source(machine.spec.name, machine.spec.source, self.partition, end))
        self._progress.set()
        return Contribution(outputs, count, sources)

    def confirm(self, contribution: Contribution, ends: Mapping[Destination, int]) -> None:
        """Write the unit's rows, now that it is committed."""
        for machine in self.machines:
            if machine.store is not None:
                changelog = machine.changelog
                machine.store.commit(None if changelog is None else ends.get((changelog, self.partition)))
        self.committed = min(source.end for source in contribution.sources)

    def close(self) -> None:
        """Take no more batches; what is applied is committed with the next transaction."""
        self._closed = True
