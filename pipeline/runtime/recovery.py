"""Recovery, between an assignment and the first event: fence, restore, seek.

    assigned -> transactions name the new membership, which fences the old owner (`transactions`)
             -> read source offsets and changelogs to their end
             -> Faust seeks to the committed offsets and lets events flow

This takes the place of Faust's recovery, which waits for the last record of a changelog (here a control
record, never delivered). The rest of Faust's table manager stays as it is. Faust's own consumer keeps the
changelog partitions assigned, because its assignor places tables by them, but never reads them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import TopicPartition
from faust.tables.manager import TableManager as FaustTableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from pipeline.runtime.assignments import Tasks


class ChangelogRecovery(Recovery):
    """Faust's recovery service with the restoring of rows replaced."""

    tables: TableManager
    _attempt: asyncio.Task[None] | None = None
    """The recovery of the present assignment."""
    _standby: asyncio.Task[None] | None = None

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):
                break
            self.signal_recovery_start.clear()
            await self.give_up()
            self._attempt = asyncio.create_task(self._recover(self._generation_id))
            try:
                await self._wait(self._attempt)
            except RebalanceAgain:
                continue
            except ServiceStopped:
                break
            except asyncio.CancelledError:
                if not self._attempt.cancelled():
                    raise
                # Its partitions were revoked; the next assignment signals again.

    async def _recover(self, generation: int) -> None:
        self._set_recovery_started()
        await self._restore()
        self.app.flow_control.resume()
        await self.on_recovery_completed(generation)
        self._follow_standbys()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Cancel what is under way: it must not seek in, nor resume, an assignment that has ended."""
        self._cancel()
        super().on_partitions_revoked(revoked)

    def _cancel(self) -> list[asyncio.Task[None]]:
        """Cancel what reads changelogs; return it."""
        reading = [task for task in (self._attempt, self._standby) if task is not None]
        for task in reading:
            task.cancel()
        return reading

    async def give_up(self) -> None:
        """Stop reading changelogs; after this nothing writes to the databases, and they can be closed."""
        await asyncio.gather(*self._cancel(), return_exceptions=True)

    async def _restore(self) -> None:
        """Start the tasks of the assigned partitions and bring their rows up to date."""
        assigned: set[TP] = self.app.consumer.assignment()
        await self.tables.tasks.restore(assigned)

    def _follow_standbys(self) -> None:
        standbys = self.app.assignor.assigned_standbys() - self.app.assignor.assigned_actives()
        stores = {}
        for tp in standbys:
            table: Any = self.tables._changelogs.get(tp.topic)
            if table is not None:
                stores[TopicPartition(*tp)] = table.data.partition(tp.partition)
        if stores:
            self._standby = asyncio.create_task(self.tables.tasks.follow(stores))

    async def on_stop(self) -> None:
        """Stop reading changelogs."""
        await self.give_up()


class TableManager(FaustTableManager):
    """Faust's table manager with our recovery."""

    tasks: Tasks
    """What is recovered; to be set before the app starts."""
    _recovery: ChangelogRecovery | None

    @property
    def recovery(self) -> ChangelogRecovery:
        """The recovery service, made when it is first asked for."""
        if self._recovery is None:
            self._recovery = ChangelogRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_stop(self) -> None:
        """Commit what is applied before the tables close."""
        await self.app._fetcher.stop()
        await self.recovery.give_up()
        await self.tasks.stop()
        await super().on_stop()
