"""Hostile batches on a real broker: the streams go on behind them, and so does whoever reads the topics.

The default run has the same batches in memory: test_batches.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import TopicPartition

from pipeline.cli.records import TopicReader, TopicRecord
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.settings import Settings
from tests.chaos.bombs import batch, bomb, produce, record
from tests.integration.cluster import ROOT, Cluster, cluster_in, problems

pytestmark = pytest.mark.long

BOMB_BYTES = 2**27
LIES = {
    "one offset twice": batch(record(0, b"k", b"v") * 2, 2),
    "a header that is no text": batch(record(0, b"k", b"v", b"\2\2\xff\2x"), 1),
}
"""What a broker takes."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("batches")) as running:
        running.start(0)
        running.wait_ready(0)
        yield running


async def send(settings: Settings, topic: str, batches: list[tuple[int, bytes, int]]) -> list[int]:
    """Produce batches as they are, each on a partition; return their first offsets."""
    producer = AIOKafkaProducer(**settings.aiokafka(), max_request_size=2**24, max_batch_size=2**24)
    await producer.start()
    try:
        return [await produce(producer, topic, place, data, count) for place, data, count in batches]
    finally:
        await producer.stop()


def letters(settings: Settings, topic: str) -> list[TopicRecord]:
    """Return the dead letters of ranges of a topic."""
    with closing(TopicReader(settings, "dead-letters", settings.partitions)) as reader:
        found = list(reader.all())
    return [one for one in found if one.error.get("topic") == topic and "last-offset" in one.error]


def cli(cluster: Cluster, *arguments: str) -> str:
    """Run a command of the product; return what it prints. Raises where it fails."""
    settings = cluster.settings
    where = {
        "LEDGERFLOW_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "LEDGERFLOW_SCHEMA_REGISTRY_URL": settings.schema_registry_url,
        "LEDGERFLOW_DATA_DIR": str(settings.data_dir),
    }
    run = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, **where},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_bombs_of_every_codec_are_dead_letters_and_the_streams_go_on(cluster: Cluster) -> None:
    cluster.load(31, 200)
    sent = [
        (number, *bomb(codec, BOMB_BYTES)) for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd"))
    ]
    firsts = asyncio.run(send(cluster.settings, "payments", sent))
    asyncio.run(send(cluster.settings, "accounts", [(1, data, 2) for data in LIES.values()]))
    cluster.load(32, 200)
    report = cluster.verify()
    assert report.ok, problems(report)
    found = {one.partition: one.error for one in letters(cluster.settings, "payments")}
    for number, (first, (_, data, count)) in enumerate(zip(firsts, sent, strict=True)):
        error = found[number]
        assert (error["code"], error["class"]) == ("batch_too_large", "Batch")
        assert (int(error["offset"]), int(error["last-offset"])) == (first, first + count - 1)
        assert int(error["left-out"]) == len(data)
    lies = letters(cluster.settings, "accounts")
    assert [one.error["code"] for one in lies] == ["batch_unreadable"] * len(LIES)
    log = cluster.log(0).read_text()
    assert "worker stops" not in log


def test_commands_that_read_topics_pass_them_over(cluster: Cluster, tmp_path: Path) -> None:
    shown = cli(cluster, "tail", "payments", "--from-beginning", "--json").splitlines()
    assert len({json.loads(line)["event"] for line in shown}) > 1
    assert "batch_too_large" in cli(cluster, "dead-letters", "list", "--json")
    tenant = json.loads(shown[-1])["value"]["tenant_id"]
    cli(cluster, "export", tenant, "--out", str(tmp_path / "export"))


def test_what_is_quarantined_while_the_worker_is_down_is_a_dead_letter_when_it_is_back(
    cluster: Cluster,
) -> None:
    settings = cluster.settings
    cluster.terminate(0)
    ends = asyncio.run(send(settings, "payments", [(2, b, 3) for b in [batch(_three(), 3)]]))
    first = ends[0]
    said = cli(cluster, "quarantine", f"payments/2/{first + 1}", "--reason", "kills the worker")
    assert f"payments/2/{first + 1}" in said
    cluster.start(0)
    cluster.wait_ready(0)
    report = cluster.verify()
    assert report.ok, problems(report)
    (letter,) = [one for one in letters(settings, "payments") if one.error["code"] == "quarantined"]
    assert (letter.error["offset"], letter.error["last-offset"]) == (str(first + 1),) * 2
    assert letter.error["message"].endswith(": kills the worker")
    reader = BoundedConsumer({**settings.librdkafka(), "group.id": settings.app_id})
    with closing(reader):
        (place,) = reader.committed([TopicPartition("payments", 2)], timeout=30)
    assert place.offset == first + 3


def _three() -> bytes:
    return b"".join(record(delta, b"nobody/x", b"no event") for delta in range(3))
