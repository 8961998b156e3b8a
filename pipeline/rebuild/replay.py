"""Applies a stream's log from its first event by the installed rules, and compares with the live table.

    log -> PartitionTask (the runtime's own: by columns and by rows) -> scratch: rows + offset of the log
    messages between branches: as the installed rules send them (`causal`)
    snapshot of the live table -> the offset to replay to -> both versions compared, row by row

No output is written to Kafka. A snapshot states for each partition up to which offset of the log its rows go,
so both versions are of the same offset while the streams go on. A replay to a later snapshot continues where
the last one ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiokafka import TopicPartition

from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.layouts import UnreadableRow
from pipeline.domain.ledger.rows import KINDS, STATUS_NAMES, unpack_account, unpack_payment
from pipeline.rebuild.between import BranchMessages
from pipeline.rebuild.causal import ROWS, BranchReplay, Counts, LogTail, ReplayTransactions, replay_branches
from pipeline.rebuild.corrections import LeftOut, Party, corrections_among
from pipeline.rebuild.differences import Differences, Value, merged_by_key
from pipeline.rebuild.logs import OnProgress, OnStage, beginnings
from pipeline.rebuild.proposals import Balances
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.changelog import log_ends, read
from pipeline.runtime.store.database import rows_of_copy
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import Machine, StreamSpec
from pipeline.runtime.task import PartitionTask
from pipeline.runtime.transactions import Transactions

LAYOUT = "2"
"""Version of the data in a scratch. A scratch of another version is not continued."""


class LivePartition(NamedTuple):
    """A copy of the live table of one partition."""

    partition: int
    source_offset: int
    """The rows contain the effects of all events of the log below this offset, and of no other."""
    path: Path
    """Path of the database, which is only read."""


class Replayed(NamedTuple):
    """The result of a replay."""

    differences: Differences
    records: int
    """Records applied by this run."""
    dead_letters: int
    """How many of them became dead letters."""
    counts: Counts
    """Messages that differ, in this run."""
    booked_against: set[Party]
    """The accounts that corrections in the log are booked against."""


async def replay(
    connection: Mapping[str, Any],
    codec: Codec,
    scratch: Scratch,
    spec: StreamSpec,
    live: list[LivePartition],
    copied_ms: int,
    partitions: int,
    limit: int,
    on_progress: OnProgress,
    on_stage: OnStage,
    balances: Balances | None = None,
) -> Replayed:
    """Replay to the offsets of the live tables, and compare. Raises LogCut and aiokafka's KafkaError.

    `copied_ms`: when the first database of the live tables was copied, milliseconds UTC.
    `balances`: is shown every row of both versions.
    """
    places = {TopicPartition(spec.source, one.partition): one for one in live}
    ends = {place: one.source_offset for place, one in places.items()}
    total = sum(ends.values())
    stores = {place: scratch.store(f"{spec.name}-{place.partition}") for place in places}
    between = BranchMessages(scratch.store(f"{spec.name}-between"), codec)
    corrections = LeftOut(scratch.store(f"{spec.name}-corrections"), codec)
    if any(store.changelog_offset > ends[place] for place, store in stores.items()):
        for store in stores.values():
            store.wipe()  # this snapshot is earlier than the last one
        between.wipe()
        corrections.wipe()
    starts = await beginnings(connection, stores)
    between.recover({place.partition: start for place, start in starts.items()})
    transactions = ReplayTransactions(spec.source, between)
    branches = []
    for place, store in stores.items():
        task = _task(spec, place.partition, partitions, codec, store, transactions)
        batches = read(connection, {place: starts[place]}, {place: ends[place]})
        branches.append(BranchReplay(task, batches, between, corrections))
    tail = LogTail(connection, codec, ends, copied_ms)

    def progress() -> None:
        on_progress(sum(branch.task.position or 0 for branch in branches), total)

    on_stage(f"replaying {spec.source}")
    progress()
    counts = await replay_branches(branches, between, tail, copied_ms, progress)
    for place, store in stores.items():
        if store.changelog_offset < ends[place]:
            store.write({}, ends[place])  # only control records are left up to there
    on_progress(total, total)
    differences = Differences(limit)
    for place, one in places.items():
        on_stage(f"comparing {spec.table}-{place.partition}")
        _compare(one, stores[place], differences, balances)
    records = sum(branch.applied for branch in branches)
    dead_letters = sum(branch.task.dead_letters for branch in branches)
    return Replayed(differences, records, dead_letters, counts, corrections.accounts())


async def sent_since(
    connection: Mapping[str, Any], codec: Codec, topic: str, live: Sequence[LivePartition]
) -> dict[Party, str]:
    """Return the corrections that are in a log after the ends of the live tables, by account: their ids.

    Raises aiokafka's KafkaError.
    """
    starts = {TopicPartition(topic, one.partition): one.source_offset for one in live}
    found: dict[Party, str] = {}
    async for _, records, _ in read(connection, starts, await log_ends(connection, list(starts))):
        found |= corrections_among(codec.decode([record.value for record in records]).events)
    return found


def _task(
    spec: StreamSpec,
    partition: int,
    partitions: int,
    codec: Codec,
    store: PartitionStore,
    transactions: Transactions,
) -> PartitionTask:
    task = PartitionTask(
        [Machine(spec, store, ROWS)],
        partition,
        partitions,
        codec=codec,
        transactions=transactions,
        group="",
        turn=asyncio.Lock(),
    )
    task.expect(store.changelog_offset)
    return task


def _compare(
    live: LivePartition, store: PartitionStore, differences: Differences, balances: Balances | None
) -> None:
    with closing(rows_of_copy(live.path)) as copied:
        for key, one, other in merged_by_key(copied, store.committed_scan(b"")):
            if balances is not None:
                balances.look(live.partition, key, one, other)
            kind, name = named(key)
            if one == other:
                differences.same(kind)
            else:
                differences.add(live.partition, kind, name, fields(kind, one), fields(kind, other))


def named(key: bytes) -> tuple[str, str]:
    """Return the kind of a row and its name, such as `account`, `tenant/account`."""
    family, *parts = key.decode(errors="replace").split("\0")
    return _KINDS[family].name if family in _KINDS else family, "/".join(parts)


_KINDS = {kind.family: kind for kind in KINDS}
"""By the family letter of the row key. An unknown letter is its own name."""
_BY_NAME = {kind.name: kind for kind in KINDS}


def fields(kind: str, row: bytes | None) -> dict[str, Value] | None:
    """Return the fields of an account or a payment; of other kinds the row in its newest layout, in hex.

    A row that cannot be decoded is returned in hex as it is.
    """
    if row is None:
        return None
    try:
        return _fields(kind, row)
    except UnreadableRow:
        return {"row": row.hex()}


def _fields(kind: str, row: bytes) -> dict[str, Value]:
    if kind == "account":
        account = unpack_account(row)
        named_ones = {
            "overdraft_limit_minor": account.overdraft_limit_minor,
            "minimum_balance_minor": account.minimum_balance_minor,
            "account_type": ACCOUNT_TYPES[account.account_type],
            "status": STATUS_NAMES[account.status],
            "balance_minor": account.balance_minor,
        }
        stored = msgspec.structs.asdict(account)
        del stored["limit_minor"]
        return {**stored, **named_ones}
    if kind == "payment":
        return msgspec.structs.asdict(unpack_payment(row))
    known = _BY_NAME.get(kind)
    return {"row": (row if known is None else known.current(row)).hex()}
