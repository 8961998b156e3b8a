"""Reading changelogs back: to recover the tables of a worker, and to keep standby copies up to date.

The end of a recovery is the consumer's position reaching the end offset, not a last record: the last offset
of a transactional topic is a control record, which is never delivered. The end is that of the log, committed
or not: where an earlier owner's transaction is still open, recovery waits until it is decided.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.runtime.kafka import closing
from pipeline.runtime.kafka.patches import as_parsed
from pipeline.runtime.kafka.topics import DELETIONS_KEPT_MS
from pipeline.runtime.store.partition_store import PartitionStore

LOG = logging.getLogger(__name__)
POLL_MS = 200
MARKER = 1
"""Behind the last record that a database contains is the marker of its transaction, which is no row."""


def _consumer(connection: Mapping[str, Any], isolation: str = "read_committed") -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **connection,
        key_deserializer=as_parsed,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 * 2**20,
        fetch_max_wait_ms=POLL_MS,
    )


@asynccontextmanager
async def _started(
    connection: Mapping[str, Any], isolation: str = "read_committed"
) -> AsyncGenerator[AIOKafkaConsumer]:
    """Give a consumer for as long as it is used."""
    consumer = _consumer(connection, isolation)
    try:
        await consumer.start()
        yield consumer
    finally:
        await closing.stop(consumer)


async def log_ends(
    connection: Mapping[str, Any], places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return where logs end now, transactions that are open included."""
    async with _started(connection, "read_uncommitted") as consumer:
        return dict(await consumer.end_offsets(places))


async def first_offsets(
    connection: Mapping[str, Any], places: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return where logs begin."""
    async with _started(connection) as consumer:
        return dict(await consumer.beginning_offsets(places))


async def read(
    connection: Mapping[str, Any], starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> AsyncGenerator[tuple[TopicPartition, list[Any], int]]:
    """Yield the committed records of logs from `starts` up to `ends`, with the offset behind them."""
    behind = {tp: end for tp, end in ends.items() if starts[tp] < end}
    if not behind:
        return
    async with _started(connection) as consumer:
        consumer.assign(list(behind))
        for tp in behind:
            consumer.seek(tp, starts[tp])
        async for tp, records in _to_the_end(consumer, behind):
            if records[-1].offset >= ends[tp]:
                records = [record for record in records if record.offset < ends[tp]]
            yield tp, records, min(await consumer.position(tp), ends[tp])


async def _position_stores(
    consumer: AIOKafkaConsumer,
    stores: Mapping[TopicPartition, PartitionStore],
    ends: Mapping[TopicPartition, int],
) -> None:
    """Seek each changelog to the end of what its database contains; empty a database that does not fit it."""
    consumer.assign(list(stores))
    first = await consumer.beginning_offsets(list(stores))
    horizon_ms = int(time.time() * 1000) - DELETIONS_KEPT_MS // 2
    recent = await consumer.offsets_for_times(dict.fromkeys(stores, horizon_ms))
    for tp, store in stores.items():
        offset = store.changelog_offset
        if offset > ends[tp] or 0 < offset < first[tp]:
            LOG.error(
                "%s: the database contains the changelog up to %d, but it has %d..%d: rebuilding",
                store.path.name,
                offset,
                first[tp],
                ends[tp],
            )
            store.wipe()
            offset = 0
        old_until = ends[tp] if recent[tp] is None else recent[tp].offset
        if 0 < offset < old_until - MARKER:
            LOG.error(
                "%s: the database is old, rows deleted since might stay: rebuilding it", store.path.name
            )
            store.wipe()
            offset = 0
        consumer.seek(tp, max(offset, first[tp]))


async def _to_the_end(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
    """Yield what is between the positions of a consumer and the end offsets, by partition."""
    behind = {tp for tp in ends if await consumer.position(tp) < ends[tp]}
    while behind:
        fetched = await consumer.getmany(*behind, timeout_ms=POLL_MS, max_records=50_000)
        for tp, records in fetched.items():
            yield tp, records
        behind = {tp for tp in behind if await consumer.position(tp) < ends[tp]}


def _write(store: PartitionStore, records: list[Any], position: int) -> None:
    store.write({record.key: record.value for record in records}, position)


async def restore(connection: Mapping[str, Any], stores: Mapping[TopicPartition, PartitionStore]) -> int:
    """Bring databases up to the end of their changelogs; return the number of records read."""
    if not stores:
        return 0
    count = 0
    async with _started(connection) as consumer:
        ends = await log_ends(connection, list(stores))
        await _position_stores(consumer, stores, ends)
        async for tp, records in _to_the_end(consumer, ends):
            _write(stores[tp], records, await consumer.position(tp))
            count += len(records)
        for tp, store in stores.items():
            store.write({}, await consumer.position(tp))
    return count


async def latest_of(
    connection: Mapping[str, Any], places: Sequence[TopicPartition]
) -> dict[TopicPartition, dict[bytes, bytes]]:
    """Return the last committed value of each key of partitions of small compacted topics."""
    found: dict[TopicPartition, dict[bytes, bytes]] = {tp: {} for tp in places}
    if not places:
        return found
    async with _started(connection) as consumer:
        consumer.assign(list(places))
        ends = await log_ends(connection, places)
        await consumer.seek_to_beginning(*places)
        async for tp, records in _to_the_end(consumer, ends):
            found[tp].update((record.key, record.value) for record in records if record.key is not None)
    return found


async def follow(connection: Mapping[str, Any], stores: Mapping[TopicPartition, PartitionStore]) -> None:
    """Keep standby databases close to the end of their changelogs, until cancelled."""
    async with _started(connection) as consumer:
        await _position_stores(consumer, stores, await log_ends(connection, list(stores)))
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=20_000)).items():
                _write(stores[tp], records, await consumer.position(tp))
            await asyncio.sleep(0)
