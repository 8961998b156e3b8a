"""Replays a log that its own stream writes to: branches wait for the messages of other branches.

    log of a branch -> commands of upstream systems: applied in log order
                    -> a message of another branch: applied at its offset in the log, once that branch has
                       sent it in this replay, and with the content that was sent in this replay
    all branches wait -> the rules do not send the oldest awaited message any more: it is left out
    all logs are read -> messages that were sent in this replay and are in no log are applied last
    corrections       -> left out, with all that their branches have said (`corrections`)

So all branches are replayed together: where changed rules decide differently on one branch, the others
receive the changed messages, and a payment credits the amount that it debits. With the rules that wrote the
log every message is found at its offset, and none is left out or added.

The live tables of the branches are not copied at the same instant. A message may be below the end of one
branch while its cause is above the end of another: it is applied as it is in the log. A message may also be
sent below the end of one branch and be above the end of the receiver: it waits for a later run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from pipeline.rebuild.between import BranchMessages, Message
from pipeline.rebuild.corrections import LeftOut, is_correction, journal_of
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.changelog import log_ends, read
from pipeline.runtime.kafka.fetched import PartitionBatch
from pipeline.runtime.kafka.records import singly
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import Committing, Transactions

ROWS = "rows"
"""The name of the changelog of a scratch database. There is no such topic: its offset is that of the log."""
RUN_RECORDS_MAX = 8_192
COPIED_WITHIN_MS = 10_000
"""All copies of a snapshot are made within this time of the first: later records were sent after it."""

Batches = AsyncIterator[tuple[TopicPartition, list[Any], int]]


class ReplayRecord(NamedTuple):
    """A record to apply: with the content that this replay has sent, at the offset that the log has."""

    offset: int
    timestamp: int
    """Milliseconds."""
    key: bytes
    value: bytes
    headers: tuple[()] = ()


class Counts(NamedTuple):
    """How the messages between branches differ from those of the log."""

    left_out: int
    """Messages of the log that these rules did not send."""
    besides: int
    """Messages that these rules sent and that are in no log."""


class ReplayTransactions(Transactions):
    """Transactions of a replay: rows are written with the offset of the log, messages are kept."""

    def __init__(self, source: str, between: BranchMessages) -> None:
        self._source = source
        self._between = between

    def want(self, task: Committing) -> None:
        """Write what a task has applied: rows and messages to branches. All other outputs are dropped."""
        part = task.take()
        for (topic, partition), records in part.outputs.items():
            if topic == self._source:
                self._between.send(partition, singly(records))
        task.confirm(part, {(ROWS, source.partition): source.end for source in part.sources})

    async def give_way(self) -> None:
        """Return at once: nothing is under way."""


class BranchReplay:
    """The replay of one partition, up to the first message that was not sent yet."""

    def __init__(
        self, task: PartitionTask, batches: Batches, between: BranchMessages, corrections: LeftOut
    ) -> None:
        self.task = task
        self.ended = False
        self.applied = 0
        """How many records of the log were applied."""
        self._batches = batches
        self._between = between
        self._corrections = corrections
        self._records: list[Any] = []
        self._received: dict[int, Any] = {}
        """The messages among `_records`, by index."""
        self._places: dict[str, int] | None = None
        """Index in `_records` by event id; None until it is needed."""
        self._at = 0
        self._behind = 0
        """The next offset after `_records`."""

    @property
    def awaited(self) -> tuple[Any, Any]:
        """The awaited message: its record and its event. Only while the branch waits for one."""
        return self._records[self._at], self._received[self._at]

    async def apply_next(self) -> int:
        """Apply the next records, up to a message that was not sent yet; return how many were gone through.

        What corrections have said on other branches is left out, as they are.
        """
        while self._at == len(self._records) and not self.ended:
            await self._read_on()
        run: list[Any] = []
        sent: dict[str, int] = {}
        stop = self._at
        while stop < len(self._records) and len(run) < RUN_RECORDS_MAX:
            record, event = self._records[stop], self._received.get(stop)
            if event is not None:
                message = self._between.find(self.task.partition, event.event_id)
                if message is None and self._corrections.is_part(event):
                    stop += 1
                    continue
                if message is None:
                    break
                sent[event.event_id] = record.offset
                if message.value != record.value:
                    record = ReplayRecord(record.offset, record.timestamp, *message)
            run.append(record)
            stop += 1
        through = stop - self._at
        if run:
            self._between.applying(self.task.partition, sent)
            await self._apply(run, stop)
            self._between.applied(self.task.partition, sent)
        self._at = stop
        return through

    async def apply_as_logged(self) -> None:
        """Apply the awaited message as it is in the log."""
        record, event = self.awaited
        self._between.applying_early(self.task.partition, event.event_id)
        await self._apply([record], self._at + 1)

    def has_ahead(self, event_id: str | None) -> bool:
        """Return whether an event is among the records that are read and not applied yet."""
        if self._places is None:
            self._places = self._between.places(self._records)
        return self._places.get(event_id or "", -1) >= self._at

    def skip_message(self) -> None:
        """Leave out the awaited message."""
        self._at += 1

    async def apply_unlogged(self, event_id: str, message: Message, timestamp: int) -> None:
        """Apply a message that is not in the log, after its end. `timestamp`: milliseconds."""
        assert self.ended and self.task.position is not None
        end = self.task.position
        await self.task.accept(PartitionBatch([ReplayRecord(end, timestamp, *message)], end, end))
        self._between.applied(self.task.partition, [event_id])

    async def _read_on(self) -> None:
        batch = await anext(self._batches, None)
        if batch is None:
            self.ended = True
            return
        _, records, self._behind = batch
        self._records = self._corrections.without(records)
        self._received = self._between.received(self._records)
        self._at, self._places = 0, None

    async def _apply(self, run: list[Any], stop: int) -> None:
        assert self.task.position is not None
        end = self._records[stop].offset if stop < len(self._records) else self._behind
        await self.task.accept(PartitionBatch(run, self.task.position, end))
        self._at = stop
        self.applied += len(run)


class LogTail:
    """Ids of events after the ends of the live tables, up to COPIED_WITHIN_MS; read at the first question."""

    def __init__(
        self, connection: Mapping[str, Any], codec: Codec, ends: Mapping[TopicPartition, int], copied_ms: int
    ):
        """`copied_ms`: when the first copy of the live tables was made, milliseconds UTC."""
        self._connection = connection
        self._codec = codec
        self._ends = ends
        self._until_ms = copied_ms + COPIED_WITHIN_MS
        self._events: dict[str, set[int]] | None = None
        """Partitions by event id; None until read."""
        self._corrections: set[tuple[str, str, str]] = set()

    async def has(self, event_id: str | None, partition: int | None = None) -> bool:
        """Return whether an event is after the end of a partition, or of any partition."""
        if self._events is None:
            self._events = await self._read()
        found = self._events.get(event_id or "", set())
        return bool(found) if partition is None else partition in found

    async def has_correction_of(self, event: Any) -> bool:
        """Return whether a message is about a correction that is after the end of its branch."""
        if self._events is None:
            self._events = await self._read()
        return journal_of(event) in self._corrections

    async def _read(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        until = await log_ends(self._connection, list(self._ends))
        for place, start in self._ends.items():
            batches = read(self._connection, {place: start}, {place: until[place]})
            async with aclosing(batches):
                async for _, records, _ in batches:
                    for event in self._codec.decode([record.value for record in records]).events:
                        if event is not None:
                            found.setdefault(event.event_id, set()).add(place.partition)
                        if is_correction(event):
                            self._corrections.add((event.tenant_id, event.account_id, event.journal_id))
                    if records and records[-1].timestamp > self._until_ms:
                        break
        return found


def _not_sent(waiting: Sequence[BranchReplay]) -> BranchReplay:
    """Return the waiting branch whose message will not be sent any more. All of `waiting` wait.

    It is the one with the oldest message whose cause is not still unread on another branch. If that choice is
    wrong, the message is sent later and applied last.
    """

    def rank(branch: BranchReplay) -> tuple[bool, int, int]:
        record, event = branch.awaited
        may_come = any(other.has_ahead(event.causation_id) for other in waiting)
        return may_come, record.timestamp, branch.task.partition

    return min(waiting, key=rank)


async def replay_branches(
    branches: Sequence[BranchReplay],
    between: BranchMessages,
    tail: LogTail,
    ended_ms: int,
    on_progress: Callable[[], None],
) -> Counts:
    """Replay all branches to the ends of their logs.

    `ended_ms`: timestamp of the messages that are applied after the ends, milliseconds UTC.
    """
    left_out = besides = 0
    while True:
        moved = 0
        for branch in branches:
            moved += await branch.apply_next()
        on_progress()
        if moved:
            continue
        waiting = [branch for branch in branches if not branch.ended]
        if not waiting:
            break
        oldest = _not_sent(waiting)
        if await tail.has_correction_of(oldest.awaited[1]):
            oldest.skip_message()
        elif await tail.has(oldest.awaited[1].causation_id):
            await oldest.apply_as_logged()
        else:
            oldest.skip_message()
            left_out += 1
    by_partition = {branch.task.partition: branch for branch in branches}
    while True:
        new = [
            (partition, event_id, message)
            for partition, event_id, message in between.waiting()
            if not await tail.has(event_id, partition)
        ]
        if not new:
            return Counts(left_out, besides)
        for partition, event_id, message in new:
            await by_partition[partition].apply_unlogged(event_id, message, ended_ms)
            besides += 1
