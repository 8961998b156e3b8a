"""The partition tasks of a worker: started when partitions are assigned, closed when they are revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.changelog import latest_values
from pipeline.runtime.partition_store import PartitionStore
from pipeline.runtime.task import PartitionTask, StreamSpec
from pipeline.runtime.topics import changelog_name, source_offsets_name
from pipeline.runtime.transactions import TransactionalProducer, Transactions

if TYPE_CHECKING:
    from pipeline.runtime.app import App


class Tasks:
    """Every (stream, partition) that this worker owns."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._specs: dict[str, StreamSpec] = {}
        self._running: dict[TP, PartitionTask] = {}
        self._turn = asyncio.Lock()
        self._producer: TransactionalProducer | None = None
        self._transactions: Transactions | None = None
        self.source_offsets: dict[TP, int] = {}
        """Where each log goes on, by what the stream has said in its own transactions."""
        self.ready_after_s = 0.0
        """How long the last recovery took, seconds."""

    def add(self, spec: StreamSpec) -> None:
        """Make a stream known; its source topic is its identity."""
        if spec.source in self._specs:
            raise ValueError(f"two streams read {spec.source}: each log has one state machine")
        self._specs[spec.source] = spec

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
        app, stores = self._app, {}
        wanted = {tp: self._specs[tp.topic] for tp in assigned if tp.topic in self._specs}
        transactions = await self._ready_transactions()
        self.source_offsets = await self._read_source_offsets(wanted)
        running = {}
        for tp, spec in wanted.items():
            store, changelog = None, None
            if spec.table is not None:
                data: Any = app.tables[spec.table].data
                store = data.partition(tp.partition)
                store.forget()
                changelog = changelog_name(app.conf.id, spec.table)
                stores[TopicPartition(changelog, tp.partition)] = store
            running[tp] = PartitionTask(
                spec,
                tp.partition,
                app.partitions,
                codec=app.codec,
                transactions=transactions,
                store=store,
                changelog=changelog,
                group=app.conf.id,
                turn=self._turn,
            )
        self._running = running  # at once: the views look at it from their thread
        return stores

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

    async def _read_source_offsets(self, wanted: dict[TP, StreamSpec]) -> dict[TP, int]:
        app, numbers = self._app, {tp.partition for tp in wanted}
        said = await latest_values(app.connection, source_offsets_name(app.conf.id), numbers)
        keys = {tp: (spec.name.encode(), tp.partition) for tp, spec in wanted.items()}
        return {tp: int(said[key]) for tp, key in keys.items() if key in said}

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
