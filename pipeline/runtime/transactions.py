"""One Kafka transaction at a time for all partitions of a worker: outputs, changelogs and source offsets.

    task wants -> [the transaction before ends] -> take of all that want -> transaction -> rows to RocksDB

That is the group commit: what gathers while a transaction is under way goes with the next one, of whatever
partition or stream it is. A transaction costs some ten requests and as many writes of markers, however many
partitions take part in it.

A worker cannot commit for a partition that it has lost:
(1) all records of a transaction are acknowledged before its offsets are sent;
(2) the group coordinator takes the offsets from a present member only (`membership`);
(3) the next owner reads to the end that its logs had when it got them, committed or not (`changelog`), and so
    waits until all transactions there are decided.
Either the offsets were taken before the next owner looked, and it has seen the records; or they were refused,
and the transaction is never committed. A worker that starts again has the transactional id of its earlier
self, whose open transaction ends at once. Every error here is fatal for the worker: it stops, and a restart
goes on from what was committed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka import TopicPartition

from pipeline.runtime.kafka.membership import Member, MemberProducer
from pipeline.runtime.kafka.record_batch import column_batches
from pipeline.runtime.kafka.records import Columns, OutputRecord, Outputs, Pieces, Records, rows_of
from pipeline.runtime.kafka.topics import RECORD_BYTES_MAX, source_offsets_name

RETRY_BACKOFF_MS = 4
"""aiokafka's 100 ms dominate latency: a broker that still writes the last transaction's markers answers
CONCURRENT_TRANSACTIONS, which is retried after this time."""
TRANSACTION_TIMEOUT_MS = 10_000
"""How long the broker waits for a silent producer before it aborts; readers of committed data wait, too."""
TRANSACTION_OUTPUTS_MAX = 40_000
"""A transaction with more records than this waits for no further partition."""
BATCH_BYTES = 2**20
START_TIMEOUT_S = 60.0

Place = tuple[str, int]
"""(topic, partition)."""


class Source(NamedTuple):
    """How far a stream has applied a partition of its log."""

    stream: str
    topic: str
    partition: int
    end: int


class Part(NamedTuple):
    """What one partition of a stream has for a transaction."""

    outputs: Outputs
    """Its changelog's records with them."""
    records: int
    """How many records that is, about."""
    sources: Sequence[Source]
    """How far each stream of its log has got with it."""


class Committing(Protocol):
    """A partition of a stream, as transactions know it."""

    def take(self) -> Part:
        """Hand over all that was applied since the last time; called once the part before is committed."""

    def committed_part(self, part: Part, ends: Mapping[Place, int]) -> None:
        """Take note that a part is committed; `ends` has the next offset of whatever was written to."""


class Transactions:
    """The transactions of a worker, one after another."""

    def __init__(self, producer: TransactionalProducer, fail: Callable[[BaseException], None]) -> None:
        self._producer = producer
        self._fail = fail
        self._waiting: dict[Committing, None] = {}
        self._running: asyncio.Task[None] | None = None

    def want(self, task: Committing) -> None:
        """Have what a partition has applied committed with the next transaction."""
        self._waiting[task] = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._commit_all())

    async def settled(self) -> None:
        """Wait until nothing waits to be committed."""
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
        taken: list[tuple[Committing, Part]] = []
        count = 0
        for task in list(self._waiting):
            if count > TRANSACTION_OUTPUTS_MAX:
                break
            del self._waiting[task]
            part = task.take()
            taken.append((task, part))
            count += part.records
            await asyncio.sleep(0)
        outputs, sources = together([part for _, part in taken])
        ends = await self._producer.commit(outputs, sources)
        for task, part in taken:
            task.committed_part(part, ends)
            await asyncio.sleep(0)


def together(parts: Sequence[Part]) -> tuple[Outputs, list[Source]]:
    """Return the outputs of all parts, and how far their logs are applied."""
    if len(parts) == 1:
        return parts[0].outputs, list(parts[0].sources)
    pieces = Pieces()
    for part in parts:
        for (topic, partition), records in part.outputs.items():
            pieces.add_records(topic, partition, records)
    return pieces.joined(), [source for part in parts for source in part.sources]


def _offsets(sources: Iterable[Source]) -> dict[TopicPartition, int]:
    """Return the offsets to commit: where several streams read a log, that of the one furthest behind."""
    offsets: dict[TopicPartition, int] = {}
    for source in sources:
        place = TopicPartition(source.topic, source.partition)
        offsets[place] = min(source.end, offsets.get(place, source.end))
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
        """Fence every earlier producer of this id and wait until its open transaction has ended."""
        await asyncio.wait_for(self._producer.start(), START_TIMEOUT_S)

    async def stop(self) -> None:
        """Close the connections; an open transaction is aborted by the broker or by the next start."""
        await self._producer.stop()

    def commit_as(self, member: Member) -> None:
        """Commit source offsets in the name of a member of the group from now on.

        Raises ProducerFenced if it is none.
        """
        self._producer.commit_as(member)

    async def commit(self, outputs: Outputs, sources: Sequence[Source]) -> Mapping[Place, int]:
        """Write `outputs` and commit the offsets of `sources` in one transaction.

        The offsets go to the group and, as records, to the app's own topic of source offsets. Returns the
        next offset of every partition behind what was written to it. Raises what aiokafka raises, and
        ProducerFenced where the group has gone on without this worker; then nothing of it is or becomes
        visible.
        """
        producer = self._producer
        await producer.begin_transaction()
        own = Pieces()
        for source in sources:
            said: OutputRecord = (source.stream.encode(), str(source.end).encode(), [], None)
            own.add(self._source_offsets, source.partition, said)
        sent = []
        for (topic, partition), records in [*outputs.items(), *own.joined().items()]:
            for batch, count in self._batches(records):
                future = await producer.send_batch(batch, topic, partition=partition)
                sent.append(((topic, partition), count, future))
        ends = {place: (await future).offset + count for place, count, future in sent}
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
        return self._plain_batches(rows_of(records), now)

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
