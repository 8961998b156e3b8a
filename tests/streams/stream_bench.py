"""A stream on a bench: the spec of its topology in a real task, with real codec and table; only Kafka is not.

    framed records -> PartitionTask -> transactions, kept by a producer that records them

`StreamBench.step` applies one record and says what became of it; `assert_replays` applies a whole log again,
cut into other batches, and with a crash in between.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.check import parsed
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.dead_letters import HEADER_CODE, HEADER_OFFSET
from pipeline.runtime.kafka.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.kafka.topics import COMPACTED
from pipeline.runtime.store.database import SOURCE_LOG_KEY, SOURCE_OFFSET_KEY
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine, StreamSpec
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import Transactions
from tests.runtime.fixed_registry import FixedRegistry
from tests.runtime.task_bench import PARTITIONS, WaitingProducer

RECORDED_AT = 1_800_000_000_000_000
"""When records are appended unless told, microseconds UTC (2027-01-15): after the events of the tests."""
CHANGELOG = "app-changelog"
RECORD_NAMES = {kind: name for name, kind in EVENTS.items()}

Written = dict[tuple[str, int], list[Any]]
"""Output records by (topic, partition), in order."""


class Step(NamedTuple):
    """What one record has led to."""

    dead: str | None
    """The reason code of its dead letter, None where it was applied."""
    said: list[tuple[str, int, str, Any]]
    """(topic, partition, key, event) of every output, dead letters and changelog apart."""
    changed: bool
    """Whether rows were written."""


class StreamBench:
    """One partition of a stream: its log, its rows, and the transactions it has committed."""

    def __init__(
        self, spec: StreamSpec, folder: Path, partition: int = 0, partitions: int = PARTITIONS
    ) -> None:
        """The table is `folder`/<stream>-<partition>.rocks, as a worker has it; it may be there already."""
        self.spec = spec
        self.partition = partition
        self.partitions = partitions
        self.registry = FixedRegistry()
        self.codec = Codec(self.registry)  # type: ignore[arg-type]
        self.producer = WaitingProducer()
        self.store = None if spec.table is None else PartitionStore(folder / f"{spec.name}-{partition}.rocks")
        self.failures: list[BaseException] = []
        self.transactions = Transactions(self.producer, self.failures.append)  # type: ignore[arg-type]
        self.log: list[Any] = []
        self.task = self._start(None)

    def _start(self, position: int | None) -> PartitionTask:
        task = PartitionTask(
            [Machine(self.spec, self.store, None if self.spec.table is None else CHANGELOG)],
            self.partition,
            self.partitions,
            codec=self.codec,
            transactions=self.transactions,
            group="group",
            turn=asyncio.Lock(),
        )
        task.expect(position)
        return task

    # --- the log

    def record(self, value: bytes | None, key: bytes | None, recorded_at: int = RECORDED_AT) -> Any:
        """Append a record to the log and return it. Every third offset is a control record's."""
        offset = len(self.log) * 3 // 2
        place = (self.spec.source, self.partition, offset, recorded_at // 1000, 0)
        self.log.append(ConsumerRecord(*place, key, value, None, 0, 0, ()))
        return self.log[-1]

    def of(self, event: Any, version: int | None = None, recorded_at: int = RECORDED_AT) -> Any:
        """Append an event under its own key, as a producer of this version of its schema would write it."""
        return self.record(self.value(event, version), record_key(event).encode(), recorded_at)

    def value(self, event: Any, version: int | None = None) -> bytes:
        """Return the framed value of an event, of the newest version unless told."""
        if version is None:
            return self.codec.encode([event])[0]
        family = schemas.versions(RECORD_NAMES[type(event)])
        schema = next(one for one in family if one.version == version)
        return framed(self.registry.id_of(schema), schema.text, msgspec.to_builtins(event))

    # --- applying

    async def accept(self, *records: Any) -> None:
        """Apply records of the log as one batch."""
        await self.task.accept(PartitionBatch(list(records), self.task.position, records[-1].offset + 1))

    async def settled(self) -> None:
        """Wait until everything applied is committed."""
        await self.transactions.settled()

    async def step(self, record: Any) -> Step:
        """Apply one record by itself; it must have its effect or be a dead letter, and nothing else."""
        before = len(self.producer.commits)
        await self.accept(record)
        await self.settled()
        assert self.failures == []
        ((written, sources),) = self.producer.commits[before:]
        assert sources == [(self.spec.name, self.spec.source, self.partition, record.offset + 1)]
        written = dict(written)
        rows = written.pop((CHANGELOG, self.partition), [])
        if self.spec.table is not None:
            *rows, offset = [row for row in rows if row[0] != SOURCE_LOG_KEY]
            assert (SOURCE_OFFSET_KEY, b"%d" % (record.offset + 1)) == offset[:2]
        letters = written.pop((DEAD_LETTERS, self.partition), [])
        if not letters:
            return Step(None, self.decoded(written), bool(rows))
        assert (written, rows) == ({}, []), "a dead letter that has had an effect"
        ((key, value, headers, timestamp),) = letters
        assert (key, value, timestamp) == (record.key, record.value, record.timestamp)
        return Step(dict(headers)[HEADER_CODE].decode(), [], False)

    async def said(self, event: Any, version: int | None = None, recorded_at: int = RECORDED_AT) -> list[Any]:
        """Append and apply an event that is no dead letter; return its outputs."""
        step = await self.step(self.of(event, version, recorded_at))
        assert step.dead is None, step.dead
        return step.said

    def decoded(self, written: Written) -> list[tuple[str, int, str, Any]]:
        """Return output records as (topic, partition, key, event); each must be readable."""
        found = []
        for (topic, partition), records in written.items():
            events = self.codec.decode([value for _, value, _, _ in records])
            assert events.dead == {}
            for (key, *_), event in zip(records, events.events, strict=True):
                found.append((topic, partition, key.decode(), event))
        return found

    # --- what came of it

    def written(self) -> Written:
        """Return all that was committed, in order; of a compacted topic the last record of each key."""
        every: Written = {}
        for outputs, *_ in self.producer.commits:
            for place, records in outputs.items():
                every.setdefault(place, []).extend(records)
        for place, records in every.items():
            if place[0] in COMPACTED:
                every[place] = sorted({key: (key, *rest) for key, *rest in records}.values())
        return every

    def dead(self) -> list[tuple[int, str]]:
        """Return (offset, reason code) of every dead letter, in order."""
        letters = self.written().get((DEAD_LETTERS, self.partition), [])
        named = [dict(headers) for _, _, headers, _ in letters]
        return [(int(headers[HEADER_OFFSET]), headers[HEADER_CODE].decode()) for headers in named]

    def rows(self) -> dict[bytes, bytes]:
        """Return the committed rows, which must be what the changelog says."""
        if self.store is None:
            return {}
        folded = {key: value for key, value, _, _ in self.written().get((CHANGELOG, self.partition), [])}
        rows = dict(self.store.committed_scan(b""))
        assert folded.pop(SOURCE_OFFSET_KEY, None) == self.store.source_offset
        assert folded.pop(SOURCE_LOG_KEY, None) == self.store.source_log
        assert rows == {key: value for key, value in folded.items() if value is not None}
        return rows

    async def crash(self, *records: Any) -> None:
        """Apply records whose transaction fails, and go on as a restart does: from what was committed."""
        self.producer.error = ConnectionError("fenced")
        await self.accept(*records)
        await self.settled()
        assert self.failures.pop() is self.producer.error
        self.producer.error = None
        if self.store is not None:
            self.store.forget()
        self.task = self._start(self.task.committed)

    def close(self) -> None:
        """Close the table."""
        if self.store is not None:
            self.store.close()


def framed(schema_id: int, text: str, fields: dict[str, Any]) -> bytes:
    """Return the value of a record under a schema id; fields that the schema lacks are left out."""
    target = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    target.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(target, parsed(text), fields)
    return target.getvalue()


def applied_by_columns(patch: pytest.MonkeyPatch, batch: type[Any]) -> list[int]:
    """Return a list to which every call of a batch path adds how many events it has applied."""
    applied: list[int] = []
    apply = batch.apply

    def counted(self: Any, run: Any, rows: Any) -> Any:
        found = apply(self, run, rows)
        applied.append(found[0])
        return found

    patch.setattr(batch, "apply", counted)
    return applied


async def accept_by_hundreds(bench: StreamBench) -> None:
    """Apply a bench's log one by one, by batches in a transaction of their own."""
    bench.task._columns_from = sys.maxsize
    for start in range(0, len(bench.log), 100):
        await bench.accept(*bench.log[start : start + 100])
        await bench.settled()


async def assert_replays(bench: StreamBench, folder: Path) -> None:
    """Apply a bench's log again in other batches: the same bytes in the same order, and the same rows."""
    expected = bench.written(), bench.rows()
    log = bench.log
    cuts: dict[str, Sequence[int]] = {"one": [len(log)], "mixed": [3, 1, 25, 8], "gathered": [4, 30]}
    for name, sizes in {**cuts, "crashed": [5, 24]}.items():
        again = StreamBench(bench.spec, folder / name, bench.partition, bench.partitions)
        try:
            await _apply(again, log, sizes, name)
            written, rows = again.written(), again.rows()
        finally:
            again.close()
        changelog = (CHANGELOG, bench.partition)  # larger transactions write a row less often
        assert {place: records for place, records in written.items() if place != changelog} == {
            place: records for place, records in expected[0].items() if place != changelog
        }, name
        assert rows == expected[1], name


async def _apply(bench: StreamBench, log: list[Any], sizes: Sequence[int], how: str) -> None:
    """Apply a log in batches of the sizes, in turn; gathered ones share a transaction, others crash first."""
    at = 0
    for size in cycle(sizes):
        batch = log[at : at + size]
        if not batch:
            break
        if how == "crashed":
            await bench.crash(*batch)
        await bench.accept(*batch)
        if how != "gathered":
            await bench.settled()
        at += size
    await bench.settled()
    assert bench.failures == []
