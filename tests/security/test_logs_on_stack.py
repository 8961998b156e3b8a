"""A worker on a real cluster: an upstream's open transaction, and records that somebody deletes.

The default run has the first, and records that are lost in memory (test_lost_logs.py).
"""

from __future__ import annotations

import json
import shlex
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.cli.entry import main
from pipeline.runtime.exit_codes import EXIT_CRASH
from pipeline.verify.decode import Decoder, registry_schemas
from tests.integration.cluster import Cluster, cluster_in
from tests.progress import SILENCE_S, ended, wait_for

PLACE = TopicPartition("payments", 1)
UPSTREAM = "upstream's own id"
SAYS_SO_S = 1


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("logs")) as cluster:
        cluster.more["TRANSACTION_OPEN_MAX_S"] = str(SAYS_SO_S)
        cluster.start(0)
        cluster.wait_ready(0)
        yield cluster


def command(cluster: Cluster, *words: str) -> int:
    """Run a command against the cluster; return its exit code."""
    settings = cluster.settings
    where = ["--bootstrap-servers", settings.bootstrap_servers, "--data", str(settings.data_dir)]
    if words[1] != "list":
        where += ["--schema-registry-url", settings.schema_registry_url]
    return main([*words, *where])


def answer(cluster: Cluster, path: str) -> Any:
    with urllib.request.urlopen(f"{cluster.url(0)}{path}", timeout=10) as response:
        text = response.read().decode()
    return json.loads(text) if path != "/metrics" else text


def produce(cluster: Cluster, count: int = 1) -> None:
    """Write records that become dead letters, outside of any transaction."""
    producer = Producer(cluster.settings.librdkafka())
    for number in range(count):
        producer.produce(PLACE.topic, b"no event %d" % number, b"north/alice", partition=PLACE.partition)
    assert producer.flush(SILENCE_S) == 0


def open_transaction(cluster: Cluster) -> Producer:
    """Let an upstream open a transaction on payments, and stand still."""
    producer = Producer({**cluster.settings.librdkafka(), "transactional.id": UPSTREAM, "log_level": 0})
    producer.init_transactions(SILENCE_S)
    producer.begin_transaction()
    producer.produce(PLACE.topic, b"never committed", b"north/alice", partition=PLACE.partition)
    assert producer.flush(SILENCE_S) == 0
    return producer


def lag(cluster: Cluster) -> int:
    """Return how many records the worker has not committed; -1 while it does not know."""
    parts = answer(cluster, "/ready")["partitions"]
    (found,) = (
        part["lag"] for part in parts if (part["log"], part["partition"]) == (PLACE.topic, PLACE.partition)
    )
    return -1 if found is None else int(found)


def events(cluster: Cluster, topic: str) -> list[dict[str, Any]]:
    """Return the events of a topic, as they were committed."""
    settings = cluster.settings
    decoder = Decoder(registry_schemas(settings.registry()))
    consumer = Consumer({**settings.librdkafka(), "group.id": "reader", "auto.offset.reset": "error"})
    found = []
    for number in range(settings.partitions):
        place = TopicPartition(topic, number)
        first, end = consumer.get_watermark_offsets(place, timeout=SILENCE_S)
        if first == end:
            continue
        consumer.assign([TopicPartition(topic, number, first)])
        found += [decoder.read(one.value())[1] for one in consumer.consume(end - first, 10.0)]
    consumer.close()
    return found


def end_of(cluster: Cluster) -> int:
    """Return where the partition ends, records of open transactions included."""
    all_of_it = {"group.id": "reader", "isolation.level": "read_uncommitted"}
    consumer = Consumer({**cluster.settings.librdkafka(), **all_of_it})
    try:
        return int(consumer.get_watermark_offsets(PLACE, timeout=SILENCE_S)[1])
    finally:
        consumer.close()


def delete_all(cluster: Cluster) -> int:
    """Delete all records of the partition, read or not; return where it begins then."""
    end = end_of(cluster)
    admin = AdminClient(cluster.settings.librdkafka())
    for future in admin.delete_records([TopicPartition(PLACE.topic, PLACE.partition, end)]).values():
        future.result(SILENCE_S)
    return end


def stopped(cluster: Cluster, worker: int = 0) -> str:
    """Return the line with which a worker has ended by itself: exit code 70."""
    assert ended(cluster.workers[worker]) == EXIT_CRASH
    del cluster.workers[worker]
    return cluster.log(worker).read_text().splitlines()[-1]


def test_an_open_transaction_is_told_whose_it_is_and_aborted(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(cluster)
    wait_for(lambda: lag(cluster) == 0, "the first record", lambda: lag(cluster))
    upstream = open_transaction(cluster)
    produce(cluster, 3)
    (problem,) = wait_for(lambda: answer(cluster, "/ready")["problems"], "the open transaction")
    assert (problem["name"], problem["subject"]) == ("transaction_open", "payments[1]")
    said = wait_for(lambda: events(cluster, "operational-alerts"), "the alert")
    assert [(one["code"], one["subject"]) for one in said] == [("transaction_open", "payments[1]")]
    assert repr(UPSTREAM) in problem["detail"] and repr(UPSTREAM) in said[0]["found"]
    ready = answer(cluster, "/ready")
    assert ready["status"] == "ready" and answer(cluster, "/live")["status"] == "live"
    assert lag(cluster) == 4
    (age,) = (
        float(line.split()[-1])
        for line in answer(cluster, "/metrics").splitlines()
        if line.startswith("ledgerflow_last_stable_age_seconds{")
        and 'partition="1",stream="intake-payments"' in line
    )
    assert age > SAYS_SO_S
    capsys.readouterr()
    assert command(cluster, "transactions", "list", "--json") == 0
    (listed,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert listed["transactional_id"] == UPSTREAM and listed["timeout_seconds"] == 60
    assert [(one["topic"], one["partition"]) for one in listed["starts"]] == [("payments", 1)]
    assert command(cluster, "transactions", "abort", "999999", "--reason", "x") == 2
    aborted = str(listed["producer_id"])
    assert command(cluster, "transactions", "abort", aborted, "--reason", "its owner is gone") == 0
    wait_for(lambda: lag(cluster) == 0, "the payments after it", lambda: lag(cluster))
    wait_for(lambda: not answer(cluster, "/ready")["problems"], "the end of the problem")
    (action,) = events(cluster, "operator-actions")
    assert (action["action"], action["reason"]) == ("TRANSACTION_ABORTED", "its owner is gone")
    assert action["subject"].startswith(f"producer {aborted}, ")
    with pytest.raises(Exception, match=r"(?i)fenced|epoch"):
        upstream.commit_transaction(SILENCE_S)


@pytest.mark.long
def test_records_deleted_while_the_worker_stands_stop_it_until_the_loss_is_accepted(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    position = end_of(cluster)
    assert cluster.terminate(0) == 0
    produce(cluster, 10)
    first = delete_all(cluster)
    cluster.start(0)
    line = stopped(cluster)
    assert "payments[1] begins at offset" in line
    assert f"offsets {position} to {first - 1} are lost" in line
    assert "log_lost" in [one["code"] for one in events(cluster, "operational-alerts")]
    words = shlex.split(line[line.index("ledgerflow accept-loss") :])[1:-1]
    assert words[-1] == "--reason"
    assert command(cluster, *words, "the disk was full") == 0
    assert f"offsets {position} to {first - 1} are given up" in capsys.readouterr().out
    cluster.start(0)
    cluster.wait_ready(0)
    produce(cluster)
    wait_for(lambda: lag(cluster) == 0, "the payment after the gap", lambda: lag(cluster))
    report = cluster.verify()
    assert report.ok, report.to_json()
    assert f"{position} to {first - 1} were never read" in report.check("logs").notes[0]


@pytest.mark.long
def test_records_deleted_while_the_worker_reads_stop_it(cluster: Cluster) -> None:
    position = end_of(cluster)
    open_transaction(cluster)  # so that the worker cannot read on
    produce(cluster, 3)
    wait_for(lambda: lag(cluster) == 4, "the records that wait", lambda: lag(cluster))
    first = delete_all(cluster)
    assert f"offsets {position} to {first - 1} are lost" in stopped(cluster)
    cluster.start(0)
    assert f"--from {position} --up-to {first}" in stopped(cluster)


@pytest.mark.long
def test_a_loss_cannot_be_accepted_of_records_that_are_there(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        assert command(cluster, "accept-loss", *words, "--reason", "x") == 2
        return capsys.readouterr().err

    first = str(end_of(cluster))
    assert f"say --up-to {first}" in refused("payments/1", "--up-to", str(int(first) + 1))
    assert "has lost nothing" in refused("trades/1", "--up-to", "5")
    assert "is compacted" in refused("balances/1", "--up-to", "5")
    assert "no TOPIC/PARTITION" in refused("payments", "--up-to", "5")
    assert "has partitions 0 to 3" in refused("payments/4", "--up-to", "5")
    assert command(cluster, "accept-loss", "payments/1", "--up-to", first, "--reason", " ") == 2
