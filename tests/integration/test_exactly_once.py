"""What must hold whenever a worker dies, moves or is fenced: real Kafka, real processes, SIGKILL.

The verdict is `pipeline.verify`'s, which reads topics and views only.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.cli.entry import main
from pipeline.runtime.exit_codes import EXIT_CRASH
from pipeline.runtime.folders import TABLES, worker_folder
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.transactions import TransactionalProducer
from tests.integration.cluster import Cluster, Loading, cluster_in, problems
from tests.progress import SILENCE_S, ended, wait_for


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for the module: each test adds to what the earlier ones left, as in life."""
    with cluster_in(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_totals_are_exact_after_one_of_two_workers_is_killed_three_times_under_load(cluster: Cluster) -> None:
    cluster.start(0)
    cluster.start(1)
    cluster.wait_ready(0)
    cluster.wait_ready(1)
    loading = Loading(cluster, seed=1, payments=1_500, rate=150)
    for worker, wipe in ((0, False), (1, True), (0, False)):
        loading.wait_for_more(250)
        cluster.kill(worker, wipe=wipe)
        cluster.start(worker)
        cluster.wait_ready(worker)
    loading.join()
    report = cluster.verify()
    assert problems(report) == []
    assert report.ok


@pytest.mark.long
def test_partitions_of_a_stopped_worker_move_to_the_other(cluster: Cluster) -> None:
    assert cluster.terminate(1) == 0
    cluster.load(seed=2, payments=300)
    assert problems(cluster.verify()) == []
    assert cluster.workers[0].poll() is None


@pytest.mark.long
def test_a_single_worker_recovers_from_its_changelogs_on_an_empty_disk(cluster: Cluster) -> None:
    loading = Loading(cluster, seed=3, payments=800, rate=150)
    loading.wait_for_more(300)
    cluster.kill(0, wipe=True)
    cluster.start(0)
    cluster.wait_ready(0)
    loading.join()
    assert problems(cluster.verify()) == []


@pytest.mark.long
def test_a_worker_fenced_by_another_producer_stops_and_its_restart_loses_nothing(cluster: Cluster) -> None:
    connection = {"bootstrap_servers": cluster.settings.bootstrap_servers}

    async def fence() -> None:
        settings = cluster.settings
        usurper = TransactionalProducer(
            settings.app_id, f"{settings.app_id}-{settings.web_host}-{settings.web_port}", connection
        )
        await usurper.start()
        await usurper.stop()

    asyncio.run(fence())
    loading = Loading(cluster, seed=4, payments=200)
    assert ended(cluster.workers.pop(0)) == EXIT_CRASH
    cluster.start(0)
    cluster.wait_ready(0)
    loading.join()
    assert problems(cluster.verify()) == []


@pytest.mark.long
def test_known_schemas_are_processed_while_the_registry_is_down(cluster: Cluster) -> None:
    report = cluster.load(seed=5, payments=200)
    assert report.failed == 0
    cluster.kill(0)
    registry = cluster.settings.schema_registry_url
    # A worker that starts without a registry goes by the schema ids on its disk.
    cluster.settings = cluster.settings.model_copy(update={"schema_registry_url": "http://127.0.0.1:9/none"})
    try:
        cluster.start(0)
        cluster.wait_ready(0)
    finally:
        cluster.settings = cluster.settings.model_copy(update={"schema_registry_url": registry})
    cluster.load(seed=6, payments=200)
    assert problems(cluster.verify()) == []
    cluster.kill(0)  # an id that it does not know stops it, and a load may have some
    cluster.start(0)
    cluster.wait_ready(0)


@pytest.mark.long
def test_committed_offsets_that_kafka_has_lost_are_not_applied_again(cluster: Cluster) -> None:
    """As after a broker's crash: Kafka's group coordinator may come up with old offsets, or with none."""
    cluster.load(seed=7, payments=300)
    assert problems(cluster.verify()) == []
    for worker in list(cluster.workers):
        assert cluster.terminate(worker) == 0
    lost = lose_offsets(cluster)
    cluster.start(0)
    cluster.wait_ready(0)
    cluster.load(seed=8, payments=100)
    assert problems(cluster.verify()) == []
    told = cluster.log(0).read_text()
    assert all(f"{place.topic}-{place.partition}: {place.offset}, " in told for place in lost)


def lose_offsets(cluster: Cluster) -> list[TopicPartition]:
    """Set the group's offsets of payments and accounts back, half of the way or all of it; return them."""
    consumer = Consumer(
        {**cluster.settings.librdkafka(), "group.id": cluster.settings.app_id, "enable.auto.commit": False}
    )
    wanted = [TopicPartition(topic, number) for topic in ("payments", "accounts") for number in (0, 1)]
    committed = consumer.committed(wanted, timeout=SILENCE_S)
    old = [
        TopicPartition(place.topic, place.partition, place.offset // 2 if place.partition else 1)
        for place in committed
    ]

    def are_set() -> bool:
        with suppress(KafkaException):  # while the worker is still a member, nobody else may commit
            return all(place.error is None for place in consumer.commit(offsets=old, asynchronous=False))
        return False

    wait_for(are_set, "the end of the worker's session")
    consumer.close()
    return old


@pytest.mark.long
def test_a_worker_restored_from_a_snapshot_reads_only_the_tail_and_has_the_same_rows(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    data, servers = str(cluster.settings.data_dir), cluster.settings.bootstrap_servers
    cluster.terminate(0)
    cluster.more["LOG_LEVEL"] = "INFO"  # says how many records a recovery has read
    cluster.start(0)
    cluster.wait_ready(0)
    loading = Loading(cluster, seed=9, payments=300, rate=150)
    loading.wait_for_more(100)
    assert main(["snapshot", "--data", data, "--url", cluster.url(0), "--json"]) == 0
    (taken,) = json.loads(capsys.readouterr().out)["workers"]
    loading.join()
    assert problems(cluster.verify()) == []
    assert main(["restore", "--data", data, "--bootstrap-servers", servers]) == 2  # the worker runs
    cluster.terminate(0)
    tables = worker_folder(cluster.settings, 0) / TABLES
    before = rows_on_disk(tables)
    assert len(before) == len(taken["copies"])

    shutil.rmtree(tables)
    capsys.readouterr()
    assert main(["restore", "--data", data, "--bootstrap-servers", servers, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["partitions"] == len(taken["copies"])
    assert rows_on_disk(tables) != before
    cluster.start(0)
    cluster.wait_ready(0)
    read = [int(count) for count in re.findall(r"restored (\d+) records", cluster.log(0).read_text())][-1]
    assert 0 < read <= told["offsets_behind"] < sum(map(len, before.values()))
    assert problems(cluster.verify()) == []
    cluster.terminate(0)
    assert rows_on_disk(tables) == before


def rows_on_disk(tables: Path) -> dict[str, dict[bytes, bytes]]:
    """Return the rows of every database that a worker has left."""
    found = {}
    for path in sorted(tables.glob("*.rocks")):
        store = PartitionStore(path)
        found[path.name] = dict(store.committed_scan(b""))
        store.close()
    return found
