"""The partition tasks of a worker: started when partitions are assigned, closed when they are revoked.

assigned -> fence the earlier owner -> read source offsets -> a task for each log -> restore its tables
         -> compare the offsets in its changelogs -> the transport seeks to `source_offsets` -> batches flow
revoked  -> commit what is applied -> let go
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence, Set

from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.at_work import READS
from pipeline.runtime.faults import WorkerFault
from pipeline.runtime.host import Host
from pipeline.runtime.kafka import changelog
from pipeline.runtime.kafka.changelog import latest_of, log_ends
from pipeline.runtime.kafka.operator_actions import Decisions, decisions, quarantined, read_actions
from pipeline.runtime.kafka.quarantine import Quarantined
from pipeline.runtime.kafka.topics import changelog_name, source_offsets_name
from pipeline.runtime.lost import LogLost
from pipeline.runtime.source_offsets import Said, number_of, require_agreement, require_group_behind
from pipeline.runtime.store.database import SOURCE_OFFSET_KEY
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine, StreamSpec
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import TransactionalProducer, Transactions

LOG = logging.getLogger(__name__)

AssignedStreams = Mapping[TP, Sequence[StreamSpec]]
"""The streams of each assigned log."""
AppliedOffsets = Mapping[tuple[str, TP], int]
"""Up to where a stream has applied a log, by the stream's name: the next offset. Absent: it never read it."""


def resume_points(assigned: AssignedStreams, applied: AppliedOffsets) -> tuple[dict[TP, int], set[TP]]:
    """Return the offsets to resume logs at, and the logs to read from their beginning.

    A log that is in neither is resumed at the group's committed offset: none of its streams has read it.
    """
    offsets, again = {}, set()
    for tp, specs in assigned.items():
        found = [applied[spec.name, tp] for spec in specs if (spec.name, tp) in applied]
        if found and len(found) < len(specs):
            again.add(tp)
        elif found:
            offsets[tp] = min(found)
    return offsets, again


WrittenOffsets = Mapping[TopicPartition, Mapping[bytes, bytes]]
"""Source offsets as they are written, by key: in `source-offsets`, and in changelogs of offsets alone."""


class Tasks:
    """Every (stream, partition) that this worker owns."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._specs: dict[str, list[StreamSpec]] = {}
        """By log; of several streams the first one decides which records are dead letters."""
        self._running: dict[TP, PartitionTask] = {}
        self._turn = asyncio.Lock()
        self._producer: TransactionalProducer | None = None
        self._transactions: Transactions | None = None
        self._written: WrittenOffsets = {}
        """As the last assignment found them."""
        self.source_offsets: dict[TP, int] = {}
        """Where each log is resumed, by the offsets in its streams' own transactions."""
        self.read_again: set[TP] = set()
        """The logs to read from their beginning: one of their streams has never read them, another has."""
        self.decisions = Decisions({})
        """What people have decided about the logs of the present assignment."""
        self.quarantined: Quarantined = {}
        """What people have decided not to read, as of the last assignment."""
        self.ready_after_s = 0.0
        """How long the last recovery took, seconds."""

    def add(self, spec: StreamSpec) -> bool:
        """Add a stream; return whether it is its log's first. Raises ValueError where the name is in use."""
        known = self._specs.setdefault(spec.source, [])
        if any(one.name == spec.name for one in known):
            raise ValueError(f"two streams are called {spec.name}")
        known.append(spec)
        return len(known) == 1

    def note_batch(self, place: TopicPartition | None, first: int, last: int) -> None:
        """Take note of a batch that is about to be inflated (None: none is). From the consumer's thread."""
        if place is None:
            self._host.at_work.off(READS)
        else:
            self._host.at_work.on(READS, place.topic, place.partition, first, last)

    def linger_s(self, topic: str) -> float:
        """Return how long a log may gather records, seconds: the shortest delay that its streams tolerate."""
        return min((spec.linger_s for spec in self._specs.get(topic, ())), default=0.0)

    @property
    def running(self) -> dict[TP, PartitionTask]:
        """The tasks of the partitions owned now, by source partition."""
        return self._running

    def get(self, tp: TP) -> PartitionTask | None:
        """Return the task of a source partition, or None where it is not (or no longer) ours."""
        return self._running.get(tp)

    async def start(self, assigned: Iterable[TP]) -> dict[TopicPartition, PartitionStore]:
        """Start a task for each of the assigned partitions; return the stores to restore, by changelog.

        Everything that they write is committed in the name of the membership they were assigned to. Raises
        ProducerFenced where this worker is no member of the group any more, WorkerFault for an offset that is
        no number.
        """
        await self.close()
        host = self._host
        stores: dict[TopicPartition, PartitionStore] = {}
        streams = {tp: self._specs[tp.topic] for tp in assigned if tp.topic in self._specs}
        transactions = await self._ready_transactions()
        self._written = await self._read_source_offsets(streams)
        applied = self._applied(streams)
        actions = await read_actions(host.connection, host.codec, {tp.partition for tp in streams})
        self.decisions, self.quarantined = decisions(actions), quarantined(actions)
        self.source_offsets, self.read_again = resume_points(streams, applied)
        running = {}
        for tp, specs in streams.items():
            machines = [
                Machine(spec, *self._table(spec, tp, stores), applied.get((spec.name, tp), 0))
                for spec in specs
            ]
            running[tp] = PartitionTask(
                machines,
                tp.partition,
                host.partitions,
                codec=host.codec,
                transactions=transactions,
                group=host.group,
                turn=self._turn,
                at_work=host.at_work,
            )
        self._running = running  # at once: the views look at it from their thread
        return stores

    def _table(
        self, spec: StreamSpec, tp: TP, stores: dict[TopicPartition, PartitionStore]
    ) -> tuple[PartitionStore | None, str | None]:
        """Return the rows of a stream, which are to be restored, and its changelog."""
        topic = self._changelog(spec)
        if spec.table is None:
            return None, topic
        store = self._host.store(spec.table, tp.partition)
        store.forget()
        stores[TopicPartition(topic, tp.partition)] = store
        return store, topic

    async def _ready_transactions(self) -> Transactions:
        """Start the producer, if this is the first assignment, and name the membership."""
        host = self._host
        if self._producer is None or self._transactions is None:
            producer = TransactionalProducer(host.group, host.transactional_id, host.connection)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer, self._transactions = producer, Transactions(producer, host.fail)
        self._producer.commit_as(host.member)
        return self._transactions

    def _changelog(self, spec: StreamSpec) -> str:
        """Return the topic of a stream's rows and source offset; without a table it has its stream's name."""
        return changelog_name(self._host.group, spec.table or spec.name)

    def _second(self, tp: TP) -> TopicPartition:
        """Return where the source offsets of a partition's streams stand a second time."""
        return TopicPartition(source_offsets_name(self._host.group), tp.partition)

    async def _read_source_offsets(self, streams: AssignedStreams) -> WrittenOffsets:
        """Return what `source-offsets` and the changelogs of streams without a table say."""
        places = {self._second(tp) for tp in streams}
        for tp, specs in streams.items():
            alone = (self._changelog(spec) for spec in specs if spec.table is None)
            places |= {TopicPartition(topic, tp.partition) for topic in alone}
        return await latest_of(self._host.connection, sorted(places))

    def _applied(self, streams: AssignedStreams) -> AppliedOffsets:
        """Return the offsets of `source-offsets`. Raises WorkerFault for one that is no number."""
        applied = {}
        for tp, specs in streams.items():
            second = self._second(tp)
            for spec in specs:
                value = self._written[second].get(spec.name.encode())
                if value is not None:
                    applied[spec.name, tp] = number_of(value, f"{second.topic}[{second.partition}]")
        return applied

    async def _require_offsets(self) -> None:
        """Raises WorkerFault where the source offsets of the restored changelogs and the others differ."""
        host, logs = self._host, [TopicPartition(*tp) for tp in self._running]
        ends = await log_ends(host.connection, logs) if logs else {}
        said = [self._said(tp, machine) for tp, task in self._running.items() for machine in task.machines]
        require_agreement(host.group, said, ends)

    def _said(self, tp: TP, machine: Machine) -> Said:
        """Return what is written of how far a stream has applied its log."""
        spec, store = machine.spec, machine.store
        topic = self._changelog(spec)
        if store is None:
            own = self._written[TopicPartition(topic, tp.partition)].get(SOURCE_OFFSET_KEY)
        else:
            own = store.source_offset
        beside = self._written[self._second(tp)].get(spec.name.encode())
        has_rows, log = (False, None) if store is None else (store.has_rows, store.source_log)
        about = spec.name, tp.topic, tp.partition, topic
        return Said(*about, own, beside, has_rows, log, spec.earlier_source)

    async def restore(self, assigned: Iterable[TP]) -> None:
        """Start the tasks of the assigned partitions and bring their tables up to date; raises as `start`.

        Where the source offsets contradict each other it ends the worker.
        """
        started = time.monotonic()
        try:
            stores = await self.start(assigned)
            count = await changelog.restore(self._host.connection, stores)
            await self._require_offsets()
        except WorkerFault as fault:
            self._host.fail(fault)
            raise
        self.ready_after_s = time.monotonic() - started
        LOG.info("restored %d records in %.2f s", count, self.ready_after_s)

    async def follow(self, standbys: Mapping[TopicPartition, PartitionStore]) -> None:
        """Keep copies of others' tables up to date, until cancelled. An error ends the worker."""
        try:
            await changelog.follow(self._host.connection, standbys)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._host.fail(error)

    def require(self, tp: TP, position: int, first: int, end: int | None = None) -> None:
        """Let a log go on at its first record where people do without what is gone. From any thread.

        Else the worker ends: nobody may skip records without a word. Where the log lost them while it was
        read (`end` is known) it ends, too, and its next start looks at what people say. Raises LogLost where
        the host lives on.
        """
        if tp.topic not in self._specs:
            return  # a changelog: Faust's consumer has it, and reads nothing of it
        if end is None and self.decisions.lost_until(tp.topic, tp.partition) >= first:
            LOG.error("%s-%d goes on at %d: the loss from %d on is accepted", *tp, first, position)
            self.source_offsets[tp] = first
            return
        lost = LogLost(tp.topic, tp.partition, position, first, end)
        self._host.fail(lost)
        raise lost

    def expect(self, committed: Mapping[TP, int], stale: Set[TP]) -> None:
        """Tell the tasks where their logs are resumed: the offsets that the consumer was set to.

        `stale`: where the group had an older offset than the streams' own transactions, or the log begins
        later. Where the group has a newer one, that ends the worker.
        """
        for tp in self._running.keys() - self.read_again - stale:
            try:
                applied = self.source_offsets.get(tp, 0)
                require_group_behind(
                    self._host.group, tp.topic, tp.partition, committed.get(tp) or 0, applied
                )
            except WorkerFault as fault:
                self._host.fail(fault)
                raise
        for tp, task in self._running.items():
            task.expect(committed.get(tp), stale=tp in stale)

    async def close(self) -> None:
        """Commit what is applied and let go of every partition."""
        running, self._running = self._running, {}
        for task in running.values():
            task.close()
        if self._transactions is not None:
            await self._transactions.settled()

    async def stop(self) -> None:
        """Let go of everything, and of the connections."""
        await self.close()
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
