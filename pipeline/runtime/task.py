"""One partition of a log at work: apply batches, commit them in transactions.

    PartitionBatch -> decode -> check keys -> rules, by columns or by rows -> rows (overlay) + outputs (unit)
    unit -> encode -> Kafka transaction (outputs, changelog, source offset) -> rows to RocksDB

Most logs have one stream. Several streams of one log go in step: each has rules and a table of its own, a
record goes through all of them, and one transaction holds what comes of it. The first one says which records
are dead letters. A stream that is new to an old log reads it from its beginning; the others wait for it.

Applying never waits: while a transaction is under way, further batches are applied and gather in a unit,
which goes with the next one: small units when idle, large ones under load. The rows, the outputs and the
offset of a unit are taken in one instant.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.domain.kernel.columns import Block, Passed, Vector
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.routing import BROADCAST, KEY_FIELDS, home_of, record_key
from pipeline.runtime.avro.codec import Codec, Dead, Decoded, Frame
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.kafka.dead_letters import Reason, letter_of
from pipeline.runtime.kafka.records import NO_HEADERS, columns_of, rows_as_records
from pipeline.runtime.kafka.topics import EVENT_BYTES_MAX, INVARIANT_ALERTS, RECORD_BYTES_MAX, UPSTREAM
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.runs import run_of
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.transactions import Part, Place, Source, Transactions
from pipeline.runtime.unit import Ready, Unit

UNIT_RECORDS_MAX = 40_000
UNIT_OUTPUTS_MAX = 80_000
"""A unit above this many input records or outputs waits for its transaction before more is applied."""


VECTOR_MIN = 256
"""Smaller batches go row by row: a run of columns costs some milliseconds before its first command."""
SLICE_RECORDS = 2048
SLICE_RECORDS_MAX = 8192
SLICE_S = 0.05
"""The network has its turn after so many records: more than the first number where that takes less time than
this, because what a run costs does not depend on its length alone."""
ROWS_AFTER_STOP = 64
"""Records applied row by row at most where the vector path cannot go on, before it is tried again: one at
first, and twice as many each time, until it goes on for a while."""


LINGER_S = 0.25
"""For streams that nobody waits for: an analyst sees what they say some tenths of a second later."""


class Rules(Protocol):
    """The pure function of a stream; see pipeline.domain."""

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        """Apply one event; raise `Reject` for one that belongs in dead letters."""

    def keys(self, event: Any) -> Iterable[bytes]:
        """Return the keys of the rows that applying `event` will read."""


class StreamSpec(NamedTuple):
    """A stream: one log in, one pure function, one table (or none), outputs."""

    name: str
    source: str
    rules: Rules
    table: str | None
    vector: Vector | None = None
    """The rules by columns, for large batches; what it says and writes is what `rules` would."""
    linger_s: float = 0.0
    """How long its log may gather records between two fetches. Each batch takes part in a transaction, and
    every partition written to makes that longer, for all: whoever is in no hurry comes seldom."""


@dataclass(slots=True)
class Machine:
    """The state of one stream on a partition of its log."""

    spec: StreamSpec
    store: PartitionStore | None
    changelog: str | None
    start: int = 0
    """What it has applied before: records from this offset on are new to it."""

    def unread(self, records: list[Any]) -> list[Any]:
        """Return the records that it has not applied yet."""
        if records[0].offset >= self.start:
            return records
        return [record for record in records if record.offset >= self.start]


class Counted(NamedTuple):
    """How many records a task has taken up to an offset of its log, since it was started."""

    end: int
    applied: int
    """Dead letters among them."""
    dead_letters: int


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
    ) -> None:
        """`machines`: the streams of the log, one at least."""
        self.spec = spec = machines[0].spec
        self.partition = partition
        self.position: int | None = None
        """Where the next batch must start; None where the log is read from its beginning. It moves before
        anything of a batch is applied, so where it is what is committed, nothing is under way."""
        self.committed: int | None = None
        self.applied_records = 0
        self.dead_letters = 0
        self.alerts = 0
        """How many broken invariants its streams have said."""
        self.counted: Counted | None = None
        """As of the last slice; None before it, and while a stream of its log reads what others know."""
        self._partitions = partitions
        self._bytes_max = EVENT_BYTES_MAX if spec.source in UPSTREAM else RECORD_BYTES_MAX
        self._codec = codec
        self._transactions = transactions
        self._machines = machines
        self._group = group
        self._unit = Unit(partition, partitions)
        self._progress = asyncio.Event()
        self._turn = turn
        self._closed = False
        self._slice = SLICE_RECORDS

    @property
    def machines(self) -> Sequence[Machine]:
        """The streams of the log, with their rows."""
        return self._machines

    @property
    def streams(self) -> list[str]:
        """The names of the streams of the log."""
        return [machine.spec.name for machine in self._machines]

    @property
    def stores(self) -> dict[Place, PartitionStore]:
        """The rows of the streams, by the place of their changelog."""
        return {
            (machine.changelog, self.partition): machine.store
            for machine in self._machines
            if machine.changelog is not None and machine.store is not None
        }

    @property
    def at_rest(self) -> bool:
        """Whether all that the task was given is applied and committed."""
        return self.position == self.committed

    async def accept(self, batch: PartitionBatch) -> None:
        """Apply a batch and see that it gets committed; waits only while too much is uncommitted.

        `turn` is shared by the tasks of a worker: between any two slices, whoever has them, the network has
        its turn, so that transactions go on while batches are applied. The unit is whole after every slice.
        Raises RuntimeError for a batch that does not start where the last one ended, and what a lookup of a
        schema does.
        """
        if batch.start != self.position:
            place = f"{self.spec.name}-{self.partition}"
            raise RuntimeError(f"{place}: a batch starts at {batch.start}, expected {self.position}")
        self.position = batch.end
        try:
            await self._apply_in_slices(batch)
        except BaseException:
            self.position = batch.start
            raise

    async def _apply_in_slices(self, batch: PartitionBatch) -> None:
        records, stop = batch.records, 0
        while stop < len(records):
            async with self._turn:
                if self._closed:
                    return  # the partition's next owner goes on from what is committed
                start, stop = stop, min(stop + self._slice, len(records))
                self._apply_timed(records[start:stop])
                end = self._unit.end = batch.end if stop == len(records) else records[stop].offset
                if all(machine.start <= records[start].offset for machine in self._machines):
                    self.counted = Counted(end, self.applied_records, self.dead_letters)
                self._transactions.want(self)
                await asyncio.sleep(0)
            while self._unit.records > UNIT_RECORDS_MAX or self._unit.outputs > UNIT_OUTPUTS_MAX:
                self._progress.clear()
                await self._progress.wait()

    def expect(self, position: int | None, *, stale: bool = False) -> None:
        """Take the offset that the log goes on from; `stale`: the group knew an older one, so commit it."""
        self.position = self.committed = position
        if stale:
            self._unit.end = position
            self._transactions.want(self)

    def _apply_timed(self, records: list[Any]) -> None:
        """Apply a slice; how long it takes decides how long the next ones are."""
        started = time.monotonic()
        self.apply(records)
        took = time.monotonic() - started
        if took > 2 * SLICE_S:
            self._slice = SLICE_RECORDS
        elif took < SLICE_S / 2 and len(records) == self._slice:
            self._slice = min(2 * self._slice, SLICE_RECORDS_MAX)

    def apply(self, records: list[Any]) -> None:
        """Apply records to the rows and the unit: each one has its effect or becomes a dead letter."""
        read, length = None, 0
        for machine in self._machines:
            unread = machine.unread(records)
            if not unread:
                continue
            if read is None or len(unread) != length:
                read, length = self._read(unread), len(unread)
            if isinstance(read, Frame) and machine.spec.vector is not None:
                self._apply_columns(machine, machine.spec.vector, unread, read)
            elif isinstance(read, Frame):
                dead = list(map(read.dead.get, range(length)))
                self._apply_rows(machine, unread, read.events(0, length), dead)
            else:
                self._apply_rows(machine, unread, read.events, list(map(read.dead.get, range(length))))
        self._unit.records += len(records)
        self.applied_records += len(records)

    def _read(self, records: list[Any]) -> Frame | Decoded:
        """Decode records: many of them as columns, if a stream wants them so."""
        values = [record.value for record in records]
        wanted = any(machine.spec.vector is not None for machine in self._machines)
        if wanted and len(records) >= VECTOR_MIN:
            return self._codec.frame(values, bytes_max=self._bytes_max)
        return self._codec.decode(values, self._bytes_max)

    def _apply_columns(self, machine: Machine, vector: Vector, records: list[Any], frame: Frame) -> None:
        """Apply runs of records by columns, and those that the vector path leaves by rows.

        The vector path looks at a whole run before it finds the first record that it must leave, so the runs
        get shorter where that is near, and longer again.
        """
        run = run_of(vector, records, frame, self.partition, self._partitions)
        position, length, left = 0, SLICE_RECORDS_MAX, 1
        while position < len(records):
            tried = run.slice(position, min(position + length, len(records)))
            applied, said = vector.apply(tried, machine.store)
            self._unit.add_run([_ready(part, records, position) for part in said])
            position += applied
            length = (
                min(2 * length, SLICE_RECORDS_MAX) if applied == len(tried) else max(2 * applied, VECTOR_MIN)
            )
            if applied >= ROWS_AFTER_STOP:
                left = 1
            if applied:
                continue
            stop = min(position + left, len(records))
            dead = list(map(frame.dead.get, range(position, stop)))
            self._apply_rows(machine, records[position:stop], frame.events(position, stop), dead)
            position, left = stop, min(2 * left, ROWS_AFTER_STOP)

    def _apply_rows(
        self, machine: Machine, records: list[Any], events: list[Any], dead: list[Dead | None]
    ) -> None:
        store, rules, out = machine.store, machine.spec.rules, Outbox()
        if store is not None:
            store.prefetch(key for event in events if event is not None for key in rules.keys(event))
        for record, event, reason in zip(records, events, dead, strict=True):
            if reason is not None:
                self._bury(machine, record, Reason("Decoding", reason.code, reason.detail))
                continue
            misplaced = self._misplaced(record, event)
            if misplaced is not None:
                self._bury(machine, record, misplaced)
                continue
            try:
                at = Arrival(record.timestamp * 1000, self.partition, self._partitions, record.offset)
                rules.apply(event, at, store, out)
            except Reject as reject:
                self._bury(machine, record, Reason("Rejected", reject.code, reject.detail))
                continue
            if out.items:
                self._collect(out, record)

    def _misplaced(self, record: Any, event: Any) -> Reason | None:
        """Return why a record must not be on this partition: an account must never live twice."""
        if record.key is None:
            return Reason("Routing", "no_key", "")
        kind = type(event)
        if kind not in KEY_FIELDS:
            return Reason("Routing", "unexpected_event", kind.__name__)
        key = record_key(event)
        if record.key != key.encode():
            return Reason("Routing", "wrong_key", f"expected tenant_id/{KEY_FIELDS[kind]}")
        expected = home_of(event, key, self._partitions)
        if expected != self.partition and kind not in BROADCAST:
            return Reason("Routing", "wrong_partition", f"expected {expected}")
        return None

    def _collect(self, out: Outbox, record: Any) -> None:
        """Move the outputs of one event into the unit."""
        for topic, key, event in out.items:
            self.alerts += topic == INVARIANT_ALERTS
            if event is not None:
                self._unit.add(topic, key, event)
                continue
            everywhere = key == "*"
            for partition in range(self._partitions) if everywhere else (self.partition,):
                self._unit.add_record(topic, partition, (record.key, record.value, NO_HEADERS, None))
        out.items.clear()

    def _bury(self, machine: Machine, record: Any, reason: Reason) -> None:
        """Make a record a dead letter: one, whatever the other streams of the log think of it."""
        if machine is not self._machines[0]:
            return
        source = self.spec.source, self.partition
        letter = letter_of(record, source, reason, self.spec.name, self._group)
        self._unit.add_record(DEAD_LETTERS, self.partition, letter)
        self.dead_letters += 1

    def take(self) -> Part:
        """Hand over the unit, encoded, with the rows that it has changed."""
        unit, self._unit = self._unit, Unit(self.partition, self._partitions)
        taken = [
            (machine, {} if machine.store is None else machine.store.take()) for machine in self._machines
        ]
        outputs, count = unit.encoded(self._codec), unit.outputs
        assert unit.end is not None
        sources = []
        for machine, rows in taken:
            count += len(rows)
            if rows and machine.changelog is not None:
                outputs[machine.changelog, self.partition] = rows_as_records(rows)
            spec = machine.spec
            sources.append(Source(spec.name, spec.source, self.partition, max(unit.end, machine.start)))
        self._progress.set()
        return Part(outputs, count, sources)

    def committed_part(self, part: Part, ends: Mapping[Place, int]) -> None:
        """Write the unit's rows, now that it is committed."""
        for machine in self._machines:
            if machine.store is not None:
                place = None if machine.changelog is None else (machine.changelog, self.partition)
                machine.store.commit(None if place is None else ends.get(place))
        self.committed = min(source.end for source in part.sources)

    def close(self) -> None:
        """Take no more batches; what is applied is committed with the next transaction."""
        self._closed = True


def _ready(part: Block | Passed, records: Sequence[Any], start: int) -> Block | Ready:
    """Return what a run says as the unit takes it; the run begins at `start` of the records."""
    if isinstance(part, Block):
        return part
    passed = [records[start + position] for position in part.positions.tolist()]
    columns = columns_of((record.key, record.value, NO_HEADERS, None) for record in passed)
    return Ready(part.topic, part.order, columns)
