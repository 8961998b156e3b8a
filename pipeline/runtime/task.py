"""One partition of one stream at work: apply batches, commit them in transactions.

    PartitionBatch -> decode -> check keys -> rules -> rows (overlay) + outputs (unit)
    unit -> encode -> Kafka transaction (outputs, changelog, source offset) -> rows to RocksDB

Applying never waits: while one transaction is under way, further batches are applied and gather in the next
unit, which is committed as soon as the first has ended. That is the group commit: small units when idle,
large ones under load. The rows, the outputs and the offset of a unit are taken in one instant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from pipeline.domain.outbox import Arrival, Outbox, Reject
from pipeline.domain.partitions import partition_of
from pipeline.domain.routing import BROADCAST, KEY_FIELDS, record_key
from pipeline.runtime.codec import Codec
from pipeline.runtime.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.dead_letters import Reason, headers_of
from pipeline.runtime.partition_store import PartitionStore
from pipeline.runtime.topics import COMMANDED, COMPACTED
from pipeline.runtime.transactions import OutputRecord, PartitionProducer
from pipeline.runtime.transport import PartitionBatch

UNIT_RECORDS_MAX = 20_000
"""A unit above this many input records or outputs waits for its transaction before more is applied."""


_NO_HEADERS: list[tuple[str, bytes]] = []


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


class Unit:
    """What one transaction will hold, besides the rows: outputs in order, and the offset to commit."""

    __slots__ = ("end", "items", "latest", "records")

    def __init__(self) -> None:
        self.items: list[tuple[str, int, str, Any]] = []
        self.latest: dict[tuple[str, int], dict[str, Any]] = {}
        self.end: int | None = None
        self.records = 0

    def add(self, topic: str, partition: int, key: str, event: Any) -> None:
        """Add an event, or a record (a tuple) that is ready; a compacted topic keeps the last of a key."""
        if topic in COMPACTED:
            self.latest.setdefault((topic, partition), {})[key] = event
        else:
            self.items.append((topic, partition, key, event))

    def encoded(self, codec: Codec) -> dict[tuple[str, int], list[OutputRecord]]:
        """Return the outputs by (topic, partition), in order; events of one class are encoded together."""
        items = self.items + [
            (topic, partition, key, event)
            for (topic, partition), rows in self.latest.items()
            for key, event in rows.items()
        ]
        classes: dict[type, list[Any]] = {}
        for item in items:
            classes.setdefault(type(item[3]), []).append(item[3])
        ready = classes.pop(tuple, [])
        values: dict[type, Any] = {kind: iter(codec.encode(events)) for kind, events in classes.items()}
        values[tuple] = iter(ready)
        outputs: dict[tuple[str, int], list[OutputRecord]] = {}
        for topic, partition, key, event in items:
            kind = type(event)
            value: Any = next(values[kind])
            record = value if kind is tuple else (key.encode(), value, _NO_HEADERS, None)
            outputs.setdefault((topic, partition), []).append(record)
        return outputs


class PartitionTask:
    """One partition of one stream, from its assignment to its revocation."""

    def __init__(
        self,
        spec: StreamSpec,
        partition: int,
        partitions: int,
        *,
        codec: Codec,
        producer: PartitionProducer,
        store: PartitionStore | None,
        changelog: str | None,
        group: str,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.spec = spec
        self.partition = partition
        self.position: int | None = None
        """Where the next batch must start; None where the log is read from its beginning."""
        self.committed: int | None = None
        self.applied_records = 0
        self.dead_letters = 0
        self._partitions = partitions
        self._codec = codec
        self._producer = producer
        self._store = store
        self._changelog = None if changelog is None else (changelog, partition)
        self._group = group
        self._fail = fail
        self._unit = Unit()
        self._pump: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()

    async def accept(self, batch: PartitionBatch) -> None:
        """Apply a batch and see that it gets committed; waits only while too much is uncommitted."""
        if batch.start != self.position:
            place = f"{self.spec.name}-{self.partition}"
            raise RuntimeError(f"{place}: a batch starts at {batch.start}, expected {self.position}")
        self.apply(batch.records)
        self.position = self._unit.end = batch.end
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._commit_all())
        while self._unit.records > UNIT_RECORDS_MAX or len(self._unit.items) > UNIT_RECORDS_MAX:
            self._progress.clear()
            await self._progress.wait()

    def apply(self, records: list[Any]) -> None:
        """Apply records to the rows and the unit: each one has its effect or becomes a dead letter."""
        decoded = self._codec.decode([record.value for record in records])
        store, rules, out = self._store, self.spec.rules, Outbox()
        if store is not None:
            store.prefetch(key for event in decoded.events if event is not None for key in rules.keys(event))
        for index, (record, event) in enumerate(zip(records, decoded.events, strict=True)):
            if event is None:
                dead = decoded.dead[index]
                self._bury(record, Reason("Decoding", dead.code, dead.detail))
                continue
            misplaced = self._misplaced(record, event)
            if misplaced is not None:
                self._bury(record, misplaced)
                continue
            try:
                rules.apply(
                    event, Arrival(record.timestamp * 1000, self.partition, self._partitions), store, out
                )
            except Reject as reject:
                self._bury(record, Reason("Rejected", reject.code, reject.detail))
                continue
            if out.items:
                self._collect(out, record)
        self._unit.records += len(records)
        self.applied_records += len(records)

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
        expected = partition_of(key, self._partitions)
        if expected != self.partition and kind not in BROADCAST:
            return Reason("Routing", "wrong_partition", f"expected {expected}")
        return None

    def _collect(self, out: Outbox, record: Any) -> None:
        """Move the outputs of one event into the unit."""
        for topic, key, event in out.items:
            if event is not None:
                # What a partition says of its accounts stays on its number, internal accounts included; only
                # commands go to the partition of the account that they are for.
                partition = partition_of(key, self._partitions) if topic in COMMANDED else self.partition
                self._unit.add(topic, partition, key, event)
                continue
            everywhere = key == "*"
            for partition in range(self._partitions) if everywhere else (self.partition,):
                self._unit.add(topic, partition, "", (record.key, record.value, _NO_HEADERS, None))
        out.items.clear()

    def _bury(self, record: Any, reason: Reason) -> None:
        headers = headers_of(record, reason, self.spec.name, self._group)
        letter = (record.key, record.value, headers, record.timestamp)
        self._unit.add(DEAD_LETTERS, self.partition, "", letter)
        self.dead_letters += 1

    async def _commit_all(self) -> None:
        """Commit units until none is left; an error ends the worker."""
        try:
            while self._unit.end is not None:
                await self._commit_one()
                self._progress.set()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    async def _commit_one(self) -> None:
        unit, self._unit = self._unit, Unit()
        rows = {} if self._store is None else self._store.take()
        outputs = unit.encoded(self._codec)
        if rows and self._changelog is not None:
            outputs[self._changelog] = [(key, value, _NO_HEADERS, None) for key, value in rows.items()]
        assert unit.end is not None
        source = (self.spec.source, self.partition, unit.end)
        next_offset = await self._producer.commit(outputs, self._changelog, source, self._group)
        if self._store is not None:
            self._store.commit(next_offset)
        self.committed = unit.end

    async def close(self) -> None:
        """Commit what is applied, then let go of the partition."""
        if self._pump is not None:
            await self._pump
        await self._producer.stop()
