"""The partition tasks of a worker: started when partitions are assigned, closed when they are revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.kafka.changelog import latest_values
from pipeline.runtime.kafka.topics import changelog_name, source_offsets_name
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.task import Machine, PartitionTask, StreamSpec
from pipeline.runtime.transactions import TransactionalProducer, Transactions

if TYPE_CHECKING:
    from pipeline.runtime.app import App


Wanted = Mapping[TP, Sequence[StreamSpec]]
Said = Mapping[tuple[str, TP], int]
"""How far a stream has applied a log, by its name."""


def go_on(wanted: Wanted, said: Said) -> tuple[dict[TP, int], set[TP]]:
    """Return from where logs go on, and those that go on from their beginning, whatever the group says.

    A log whose streams have said nothing goes on from where the group says.
    """
    offsets, again = {}, set()
    for tp, specs in wanted.items():
        found = [said[spec.name, tp] for spec in specs if (spec.name, tp) in said]
        if found and len(found) < len(specs):
            again.add(tp)
        elif found:
            offsets[tp] = min(found)
    return offsets, again


class Tasks:
    """Every (stream, partition) that this worker owns."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._specs: dict[str, list[StreamSpec]] = {}
        """By log; of several streams the first one is the log's own, the others go beside it."""
        self._running: dict[TP, PartitionTask] = {}
        self._turn = asyncio.Lock()
        self._producer: TransactionalProducer | None = None
        self._transactions: Transactions | None = None
        self.source_offsets: dict[TP, int] = {}
        """Where each log goes on, by what its streams have said in their own transactions."""
        self.read_again: set[TP] = set()
        """The logs that have a stream which has never read them, beside one that has."""
        self.ready_after_s = 0.0
        """How long the last recovery took, seconds."""

    def add(self, spec: StreamSpec) -> bool:
        """Make a stream known; return whether it is the first one of its log."""
        known = self._specs.setdefault(spec.source, [])
        if any(one.name == spec.name for one in known):
            raise ValueError(f"two streams are called {spec.name}")
        known.append(spec)
        return len(known) == 1

    def linger_s(self, topic: str) -> float:
        """Return how long a log may gather records: as long as the most hurried of its streams says."""
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

        Everything that they say is committed in the name of the membership they were assigned to.
        """
        await self.close()
        app = self._app
        stores: dict[TopicPartition, PartitionStore] = {}
        wanted = {tp: self._specs[tp.topic] for tp in assigned if tp.topic in self._specs}
        transactions = await self._ready_transactions()
        said = await self._read_source_offsets(wanted)
        self.source_offsets, self.read_again = go_on(wanted, said)
        running = {}
        for tp, specs in wanted.items():
            machines = [
                Machine(spec, *self._table(spec, tp, stores), said.get((spec.name, tp), 0)) for spec in specs
            ]
            running[tp] = PartitionTask(
                machines,
                tp.partition,
                app.partitions,
                codec=app.codec,
                transactions=transactions,
                group=app.conf.id,
                turn=self._turn,
            )
        self._running = running  # at once: the views look at it from their thread
        return stores

    def _table(
        self, spec: StreamSpec, tp: TP, stores: dict[TopicPartition, PartitionStore]
    ) -> tuple[PartitionStore | None, str | None]:
        """Return the rows of a stream and their changelog; they are to be restored."""
        if spec.table is None:
            return None, None
        data: Any = self._app.tables[spec.table].data
        store: PartitionStore = data.partition(tp.partition)
        store.forget()
        changelog = changelog_name(self._app.conf.id, spec.table)
        stores[TopicPartition(changelog, tp.partition)] = store
        return store, changelog

    async def _ready_transactions(self) -> Transactions:
        """Start the producer, if this is the first assignment, and name the membership."""
        app = self._app
        if self._producer is None or self._transactions is None:
            producer = TransactionalProducer(app.conf.id, app.transactional_id, app.connection)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer, self._transactions = producer, Transactions(producer, app.fail)
        self._producer.commit_as(app.member)
        return self._transactions

    async def _read_source_offsets(self, wanted: Wanted) -> Said:
        app, numbers = self._app, {tp.partition for tp in wanted}
        said = await latest_values(app.connection, source_offsets_name(app.conf.id), numbers)
        return {
            (spec.name, tp): int(said[spec.name.encode(), tp.partition])
            for tp, specs in wanted.items()
            for spec in specs
            if (spec.name.encode(), tp.partition) in said
        }

    def expect(self, committed: dict[TP, int], stale: Set[TP]) -> None:
        """Tell the tasks where their logs go on: the offsets that the consumer was set to.

        `stale`: where the group has an older offset than the stream's own transactions.
        """
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
