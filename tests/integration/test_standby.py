"""Standby copies of tables: they follow committed rows only, and take over where a worker dies."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from aiokafka import TopicPartition as ChangelogPartition
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from faust.types import TP
from rocksdict import AccessType, Options, Rdict

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.at_work import NOWHERE
from pipeline.runtime.kafka.changelog import follow
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.topics import OPERATOR_ACTIONS, changelog_name, source_offsets_name
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.store.database import OFFSET_KEY
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import StreamSpec
from tests.integration.cluster import Cluster, Loading, cluster_in, problems
from tests.integration.views_bank import get
from tests.progress import SILENCE_S, eventually

TABLES = ("ledger", "fraud", "positions", "reconciliation")
PARTITIONS = 3
"""With three workers each has one partition and one copy; with two, a copy of all that the other has."""
READ_ONLY = AccessType.read_only(False)
"""Beside the worker that has the database open."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose workers keep one copy of every partition; each test goes on from the earlier ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEDGERFLOW_STANDBY_REPLICAS", "1")
        patch.setenv("LEDGERFLOW_PARTITIONS", str(PARTITIONS))
        patch.setenv("LEDGERFLOW_LOG_LEVEL", "INFO")  # says how many records a recovery has read
        with cluster_in(tmp_path_factory.mktemp("standby")) as running:
            yield running


# --- following a changelog


def write(producer: Producer, topic: str, rows: dict[bytes, bytes | None], *, commit: bool) -> None:
    """Write rows to partition 0 of a topic in one transaction, and commit or abort it."""
    producer.begin_transaction()
    for key, value in rows.items():
        producer.produce(topic, value, key, 0)
    producer.flush(SILENCE_S)
    if commit:
        producer.commit_transaction(SILENCE_S)
    else:
        producer.abort_transaction(SILENCE_S)


async def follow_until(
    stack: LocalStack, topic: str, store: PartitionStore, key: bytes
) -> dict[bytes, bytes]:
    """Let a database follow a changelog until it has a row; return its rows."""
    connection = {"bootstrap_servers": stack.bootstrap_servers}
    following = asyncio.create_task(follow(connection, {ChangelogPartition(topic, 0): store}))
    async with asyncio.timeout(SILENCE_S):
        while store.committed_get(key) is None:
            assert not following.done()
            await asyncio.sleep(0.02)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return dict(store.committed_scan(b""))


async def test_a_copy_holds_committed_rows_and_goes_on_where_it_stopped(
    stack: LocalStack, tmp_path: Path
) -> None:
    topic = "copied-changelog"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SILENCE_S)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(SILENCE_S)
    write(producer, topic, {b"a": b"1", b"b": b"2"}, commit=True)
    write(producer, topic, {b"a": b"9", b"c": b"9"}, commit=False)
    write(producer, topic, {b"b": None, b"d": b"4"}, commit=True)
    store = PartitionStore(tmp_path / "copy.rocks")
    assert await follow_until(stack, topic, store, b"d") == {b"a": b"1", b"d": b"4"}

    reached = store.changelog_offset
    store.write({b"a": b"kept"}, reached)  # what was read once is not read again
    store.close()
    write(producer, topic, {b"d": b"9", b"e": b"9"}, commit=False)
    write(producer, topic, {b"f": b"6"}, commit=True)
    store = PartitionStore(tmp_path / "copy.rocks")
    assert await follow_until(stack, topic, store, b"f") == {b"a": b"kept", b"d": b"4", b"f": b"6"}
    assert store.changelog_offset > reached
    store.close()


async def test_a_copy_that_is_ahead_of_its_changelog_is_built_anew(stack: LocalStack, tmp_path: Path) -> None:
    topic = "restarted-changelog"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SILENCE_S)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(SILENCE_S)
    write(producer, topic, {b"a": b"1"}, commit=True)
    store = PartitionStore(tmp_path / "copy.rocks")
    store.write({b"of an earlier cluster": b"1"}, 1_000)
    assert await follow_until(stack, topic, store, b"a") == {b"a": b"1"}
    store.close()


@pytest.mark.parametrize(("days", "kept"), [(1, True), (4, False)])
async def test_a_copy_that_may_have_missed_deletions_is_built_anew(
    stack: LocalStack, tmp_path: Path, days: int, kept: bool
) -> None:
    """A changelog forgets deletions after a week: by then a row that was deleted would stay for ever."""
    topic = f"old-{days}-changelog"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SILENCE_S)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers})
    then = int((time.time() - days * 86_400) * 1000)
    for key in (b"a", b"b", b"c"):
        producer.produce(topic, b"1", key, 0, timestamp=then)
    producer.produce(topic, b"1", b"last", 0)
    producer.flush(SILENCE_S)
    store = PartitionStore(tmp_path / "copy.rocks")
    store.write({b"a": b"1", b"deleted since": b"1"}, 1)
    rows = await follow_until(stack, topic, store, b"last")
    assert rows.keys() == {b"a", b"b", b"c", b"last", *([b"deleted since"] if kept else [])}
    store.close()


def test_a_copy_shows_what_the_other_owner_wrote_whatever_was_read_before(tmp_path: Path) -> None:
    app = faust.App("copies", store="transactional://", datadir=tmp_path, topic_partitions=1)
    store = app.Table("counts", key_type=bytes, value_type=bytes, partitions=1).data
    (tmp_path / "v1" / "tables").mkdir(parents=True)
    seen = []
    for offset in range(3):  # as Faust does it for an app that knows nothing of Ledgerflow
        record = SimpleNamespace(partition=0, key=b"k", value=b"%d" % offset, offset=offset)
        store.apply_changelog_batch([SimpleNamespace(message=record)], bytes, bytes)
        seen.append(store.partition(0).get(b"k"))
    store.close_partition(0)
    assert seen == [b"0", b"1", b"2"]


async def test_a_partition_that_was_a_copy_for_a_while_shows_what_its_owner_wrote(
    stack: LocalStack, tmp_path: Path
) -> None:
    store = PartitionStore(tmp_path / "table.rocks")
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    wanted = {source_offsets_name("returning"): 1, OPERATOR_ACTIONS: stack.settings.partitions}
    there = admin.list_topics(timeout=SILENCE_S).topics  # the latter is other tests', too
    missing = [NewTopic(name, count, 1) for name, count in wanted.items() if name not in there]
    for created in admin.create_topics(missing).values():
        created.result(SILENCE_S)
    host: Any = SimpleNamespace(
        group="returning",
        transactional_id="returning-0",
        member=Member("returning", 1, "member", None),
        connection={"bootstrap_servers": stack.bootstrap_servers},
        partitions=1,
        codec=None,
        fail=pytest.fail,
        at_work=NOWHERE,
        store=lambda table, partition: store,
    )
    tasks, source = Tasks(host), TP("accounts", 0)
    tasks.add(StreamSpec("counting", source.topic, cast(Any, None), "counts"))
    for offset in range(3):
        await tasks.start([source])
        assert store.get(b"k") == (b"%d" % offset if offset else None)
        await tasks.close()
        store.write({b"k": b"%d" % (offset + 1)}, offset + 1)  # as the copy follows the other owner
    await tasks.stop()
    store.close()


# --- workers


def owned(cluster: Cluster, worker: int) -> set[tuple[str, int]]:
    """Return the (table, partition) that a worker owns."""
    answer = get(f"{cluster.url(worker)}/ready")
    parts = answer.body["partitions"] if answer.status == 200 else []
    return {(part["stream"], part["partition"]) for part in parts if part["stream"] in TABLES}


def on_disk(cluster: Cluster, worker: int, table: str, partition: int) -> dict[bytes, bytes]:
    """Return the rows that a worker has on its disk, as they are now; none where it has no such partition."""
    for path in (cluster.settings.data_dir / f"worker-{worker}").rglob(f"{table}-{partition}.rocks"):
        for attempt in range(10):
            try:
                return dict(Rdict(str(path), Options(raw_mode=True), access_type=READ_ONLY).items())
            except Exception:  # a file that was listed has just been replaced by the worker
                if attempt == 9:
                    raise
    return {}


def restored(cluster: Cluster, worker: int) -> list[int]:
    """Return how many records each recovery of a worker has read from the changelogs."""
    return [int(count) for count in re.findall(r"restored (\d+) records", cluster.log(worker).read_text())]


def position(rows: dict[bytes, bytes]) -> int:
    """Return up to where the rows on a disk contain their changelog."""
    return int.from_bytes(rows.get(OFFSET_KEY, b""), "big")


def ends(cluster: Cluster) -> dict[tuple[str, int], int]:
    """Return the ends of all changelogs."""
    reader = Consumer({"bootstrap.servers": cluster.settings.bootstrap_servers, "group.id": "standby-test"})
    found = {}
    for table in TABLES:
        for number in range(PARTITIONS):
            place = TopicPartition(changelog_name(cluster.settings.app_id, table), number)
            found[table, number] = reader.get_watermark_offsets(place, timeout=SILENCE_S)[1]
    reader.close()
    return found


def copies_are_equal(cluster: Cluster) -> bool:
    """Whether both workers have the same rows on their disks, of every partition of the ledger."""
    for number in range(PARTITIONS):
        both = [on_disk(cluster, worker, "ledger", number) for worker in (0, 1)]
        one, other = ({key: row for key, row in rows.items() if key != OFFSET_KEY} for rows in both)
        if not one or one != other:
            return False
    return True


def share(cluster: Cluster, *workers: int) -> None:
    """Start workers that do not run, and wait until each owns its part."""
    for worker in workers:
        if worker not in cluster.workers:
            cluster.start(worker)
    for worker in workers:
        cluster.wait_ready(worker)

    def shared() -> bool:
        parts = [len(owned(cluster, worker)) for worker in workers]
        return all(parts) and sum(parts) == len(TABLES) * PARTITIONS

    eventually(shared)


@pytest.mark.long
def test_the_owner_and_the_copy_have_the_same_committed_rows(cluster: Cluster) -> None:
    share(cluster, 0, 1)
    cluster.load(seed=1, payments=300)
    stray = Producer({"bootstrap.servers": cluster.settings.bootstrap_servers, "transactional.id": "stray"})
    stray.init_transactions(SILENCE_S)
    stray.begin_transaction()
    for number in range(PARTITIONS):
        stray.produce(changelog_name(cluster.settings.app_id, "ledger"), b"row", b"never committed", number)
    stray.flush(SILENCE_S)
    stray.abort_transaction(SILENCE_S)
    cluster.load(seed=2, payments=100)
    eventually(lambda: copies_are_equal(cluster))
    for number in range(PARTITIONS):
        rows = on_disk(cluster, 0, "ledger", number) | on_disk(cluster, 1, "ledger", number)
        assert b"never committed" not in rows
        assert len(rows) > 50


def test_after_sigkill_the_copy_takes_over_and_totals_are_exact(cluster: Cluster) -> None:
    share(cluster, 0, 1)
    before, earlier = ends(cluster), len(restored(cluster, 1))
    moving = owned(cluster, 0)
    loading = Loading(cluster, seed=3, payments=800, rate=150)
    eventually(
        lambda: all(
            ends(cluster)["ledger", number] > before["ledger", number] + 50 for number in range(PARTITIONS)
        )
    )
    copied = {place: position(on_disk(cluster, 1, *place)) for place in moving}
    cluster.kill(0)
    left = ends(cluster)
    loading.join()
    assert problems(cluster.verify()) == []
    assert owned(cluster, 1) == {(table, number) for table in TABLES for number in range(PARTITIONS)}
    # No more than what the copies lacked: an empty disk would have read the changelogs from their beginning.
    assert sum(copied.values()) > sum(before[place] for place in moving) // 2
    assert sum(restored(cluster, 1)[earlier:]) <= sum(left[place] - copied[place] for place in moving)


@pytest.mark.long
def test_copies_move_to_a_third_worker_while_rows_keep_coming_in(cluster: Cluster) -> None:
    share(cluster, 0, 1)
    cluster.load(seed=5, payments=100)  # a changelog with rows says how far its log is applied
    stop = threading.Event()

    def keep_writing() -> None:
        """Write rows of a family that no stream has: between the streams' own there would be pauses."""
        producer = Producer({"bootstrap.servers": cluster.settings.bootstrap_servers, "linger.ms": 0})
        while not stop.wait(0.002):
            for table in ("ledger", "fraud"):
                for number in range(PARTITIONS):
                    topic = changelog_name(cluster.settings.app_id, table)
                    producer.produce(topic, b"row", b"z\0of a test", number)
            producer.flush()

    writing = threading.Thread(target=keep_writing)
    writing.start()
    try:
        share(cluster, 0, 1, 2)
        assert {len(owned(cluster, worker)) for worker in (0, 1, 2)} == {len(TABLES)}
        assert cluster.terminate(2) == 0
        share(cluster, 0, 1)
    finally:
        stop.set()
        writing.join()
    cluster.load(seed=4, payments=200)
    # The audit of tables may have found the rows above, which no stream has written: it is right.
    assert [one for one in problems(cluster.verify()) if not one.startswith("invariant_alerts: table")] == []
    assert {process.poll() for process in cluster.workers.values()} == {None}
