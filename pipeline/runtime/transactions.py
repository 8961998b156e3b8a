"""One Kafka transaction at a time for all partitions of a worker: outputs, changelogs and source offsets.

    want -> [the last transaction ends] -> take from all that want -> transaction -> confirm: rows to RocksDB

This is group commit: what gathers while a transaction is under way goes with the next one, whatever its
partition or stream. A transaction costs some ten requests and as many writes of markers, however many
partitions take part.

A worker cannot commit for a partition that it has lost:
(1) all records of a transaction are acknowledged before its offsets are sent;
(2) the group coordinator takes the offsets from a present member only (`membership`);
(3) the next owner reads to the end that its logs had when it got them, committed or not (`changelog`), and so
    waits until all transactions there are decided.
Either the offsets were accepted before the next owner read the ends, and it sees the records; or they were
refused, and the transaction is never committed. A worker that is restarted has its earlier transactional id,
so an open transaction of its earlier process is aborted at once. Every error here is fatal for the worker: it
stops, and a restart resumes from what was committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka import TopicPartition

from pipeline.runtime.kafka.membership import Member, MemberProducer
from pipeline.runtime.kafka.record_batch import column_batches
from pipeline.runtime.kafka.records import (
    Columns,
    Destination,
    OutputRecord,
    Outputs,
    Pieces,
    Records,
    singly,
)
from pipeline.runtime.kafka.topics import RECORD_BYTES_MAX, source_offsets_name

RETRY_BACKOFF_MS = 4
"""aiokafka's 100 ms dominate latency: a broker that still writes the last transaction's markers answers
CONCURRENT_TRANSACTIONS, which is retried after this time."""
TRANSACTION_TIMEOUT_MS = 10_000
"""How long the broker waits for a silent producer before it aborts; readers of committed data wait, too."""
GIVE_WAY_AFTER_S = 2.0
"""Of a transaction: then nothing more is applied until it has ended. A dozen slices of a second between its
requests would take it beyond the broker's patience."""
TRANSACTION_OUTPUTS_MAX = 40_000
"""A transaction with more records than this waits for no further partition."""
BATCH_BYTES = 2**20
START_TIMEOUT_S = 60.0


class Source(NamedTuple):
    """How far a stream has applied a partition of its log."""

    stream: str
    topic: str
    partition: int
    end: int


class Contribution(NamedTuple):
    """What one partition of a log adds to a transaction."""

    outputs: Outputs
    """Its changelog's records with them."""
    records: int
    """How many records that is, approximately."""
    sources: Sequence[Source]
    """How far each stream of the log has applied it then."""


class Committing(Protocol):
    """A partition of a log, as transactions know it."""

    def take(self) -> Contribution:
        """Hand over all that was applied since the last time; called once the last one is confirmed."""

    def confirm(self, contribution: Contribution, ends: Mapping[Destination, int]) -> None:
        """Take note that a contribution is committed. `ends`: the next offset of all that was written to."""


class Transactions:
    """The transactions of a worker, one after another."""

    def __init__(self, producer: TransactionalProducer, fail: Callable[[BaseException], None]) -> None:
        self._producer = producer
        self._fail = fail
        self._waiting: dict[Committing, None] = {}
        self._running: asyncio.Task[None] | None = None
        self._begun_at: float | None = None
        """Monotonic; of the transaction that is under way."""
        self._ended = asyncio.Event()

    def want(self, task: Committing) -> None:
        """Ask for a partition's contribution with the next transaction."""
        self._waiting[task] = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._commit_all())

    async def give_way(self) -> None:
        """Wait for the end of a transaction that takes long: whoever applies keeps the event loop from it."""
        if self._begun_at is not None and time.monotonic() - self._begun_at > GIVE_WAY_AFTER_S:
            await self._ended.wait()

    async def settled(self) -> None:
        """Wait until nothing is left to commit."""
        if self._running is not None:
            await self._running

    async def _commit_all(self) -> None:
        """Commit until nothing is left; an error ends the worker."""
        try:
            while self._waiting:
                await self._commit_one()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    async def _commit_one(self) -> None:
        taken: list[tuple[Committing, Contribution]] = []
        count = 0
        for task in list(self._waiting):
            if count > TRANSACTION_OUTPUTS_MAX:
                break
            del self._waiting[task]
            contribution = task.take()
            taken.append((task, contribution))
            count += contribution.records
            await asyncio.sleep(0)
        outputs, sources = together([contribution for _, contribution in taken])
        self._begun_at = time.monotonic()
        self._ended.clear()
        try:
            ends = await self._producer.commit(outputs, sources)
        finally:
            self._begun_at = None
            self._ended.set()
        for task, contribution in taken:
            task.confirm(contribution, ends)
            await asyncio.sleep(0)


def together(contributions: Sequence[Contribution]) -> tuple[Outputs, list[Source]]:
    """Return all outputs, and how far each stream has applied its log."""
    if len(contributions) == 1:
        return contributions[0].outputs, list(contributions[0].sources)
    pieces = Pieces()
    for contribution in contributions:
        for (topic, partition), records in contribution.outputs.items():
            pieces.add_records(topic, partition, records)
    return pieces.joined(), [source for contribution in contributions for source in contribution.sources]


def _offsets(sources: Iterable[Source]) -> dict[TopicPartition, int]:
    """Return the offsets to commit: where several streams read a log, that of the one furthest behind."""
    offsets: dict[TopicPartition, int] = {}
    for source in sources:
        log = TopicPartition(source.topic, source.partition)
        offsets[log] = min(source.end, offsets.get(log, source.end))
    return offsets


class TransactionalProducer:
    """The one transactional producer of a worker."""

    def __init__(self, app_id: str, transactional_id: str, connection: Mapping[str, Any]) -> None:
        self._group = app_id
        self._source_offsets = source_offsets_name(app_id)
        self._producer = MemberProducer(
            **connection,
            transactional_id=transactional_id,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=3 * RECORD_BYTES_MAX,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )

    async def start(self) -> None:
        """Fence every earlier producer of this id and wait until its open transaction has ended.

        Raises TimeoutError where that takes too long, and what aiokafka raises.
        """
        await asyncio.wait_for(self._producer.start(), START_TIMEOUT_S)

    async def stop(self) -> None:
        """Close the connections; an open transaction is aborted by the broker or by the next start."""
        await self._producer.stop()

    def commit_as(self, member: Member) -> None:
        """Commit source offsets in the name of a member of the group from now on.

        Raises ProducerFenced where it is no member.
        """
        self._producer.commit_as(member)

    async def commit(self, outputs: Outputs, sources: Sequence[Source]) -> Mapping[Destination, int]:
        """Write `outputs` and commit the offsets of `sources` in one transaction.

        The offsets go to the group and, as records, to the app's own topic of source offsets. Returns the
        next offset of every partition that was written to. Raises ProducerFenced where the group has given
        the partitions to another worker, and what aiokafka raises; then nothing of it is or becomes visible.
        """
        producer = self._producer
        await producer.begin_transaction()
        own = Pieces()
        for source in sources:
            offset: OutputRecord = (source.stream.encode(), str(source.end).encode(), [], None)
            own.add(self._source_offsets, source.partition, offset)
        sent = []
        for (topic, partition), records in [*outputs.items(), *own.joined().items()]:
            for batch, count in self._batches(records):
                future = await producer.send_batch(batch, topic, partition=partition)
                sent.append(((topic, partition), count, future))
        ends = {written: (await future).offset + count for written, count, future in sent}
        await producer.send_offsets_to_transaction(_offsets(sources), self._group)
        await producer.commit_transaction()
        return ends

    def _batches(self, records: Records) -> Iterable[tuple[Any, int]]:
        """Yield batches of records with their number; a batch is full at BATCH_BYTES."""
        now = int(time.time() * 1000)
        if isinstance(records, Columns):
            batches = column_batches(records, now, BATCH_BYTES)
            if batches is not None:
                return ((batch, batch.record_count()) for batch in batches)
        return self._plain_batches(singly(records), now)

    def _plain_batches(self, records: list[OutputRecord], now: int) -> Iterable[tuple[Any, int]]:
        """Yield batches that aiokafka's builder fills, a record at a time."""
        batch, count = self._producer.create_batch(), 0
        for key, value, headers, timestamp in records:
            stamp = now if timestamp is None else timestamp
            if batch.append(key=key, value=value, timestamp=stamp, headers=headers) is None:
                yield batch, count
                batch, count = self._producer.create_batch(), 0
                batch.append(key=key, value=value, timestamp=stamp, headers=headers)
            count += 1
        if count:
            yield batch, count
