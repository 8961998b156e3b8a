"""The load generator and the verifier on the real stack, with a worker between them.

A stack of its own: the verifier judges everything that a cluster holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.loadgen import demo, history, run
from pipeline.runtime.registry import register_all
from pipeline.runtime.settings import Settings
from pipeline.runtime.stack import LocalStack
from pipeline.runtime.topics import create_topics
from pipeline.verify import Report, verify
from tests.conftest import settings_in
from topologies.app import tables

ROOT = Path(__file__).parents[2]


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack with one worker."""
    settings = settings_in(tmp_path_factory.mktemp("load"))
    with LocalStack(settings):
        register_all(settings.schema_registry_url)
        create_topics(settings, tables(settings))
        names = ("data_dir", "kafka_port", "controller_port", "registry_port", "web_port")
        environment = {f"LEDGERFLOW_{name.upper()}": str(getattr(settings, name)) for name in names}
        worker = subprocess.Popen(
            [sys.executable, "-m", "topologies.worker"], cwd=ROOT, env={**os.environ, **environment}
        )
        try:
            yield settings
        finally:
            worker.terminate()
            worker.wait(30)


def verified(settings: Settings, *manifests: Path) -> Report:
    return verify(settings.librdkafka(), settings.schema_registry_url, manifests, wait_quiet_s=3.0)


def test_a_bounded_load_is_processed_exactly_and_all_that_was_planted_is_found(
    cluster: Settings, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.jsonl"
    plan = history(21, 2_000, now_us(), accounts=300, malformed_pct=3.0)
    # The worker may still be starting: be patient with the accounts.
    report = run(
        plan, cluster.librdkafka(), cluster.schema_registry_url, manifest_path=manifest, await_accounts_s=60.0
    )
    assert report.done and report.failed == 0 and report.payments == 2_000
    assert set(report.planted) == {"break", "fraud", "malformed", "refusal", "retry", "review"}
    verdict = verified(cluster, manifest)
    assert verdict.ok, verdict.to_json()
    assert {check.name for check in verdict.checks if not check.counted} == {"views"}


def test_a_second_load_with_another_seed_does_not_collide(cluster: Settings, tmp_path: Path) -> None:
    manifest = tmp_path / "second.jsonl"
    plan = demo(22, now_us(), rate=400.0, speed=20_000.0, accounts=200)
    report = run(
        plan,
        cluster.librdkafka(),
        cluster.schema_registry_url,
        rate=400.0,
        duration=4.0,
        manifest_path=manifest,
        await_accounts_s=60.0,
    )
    assert 500 < report.payments <= 2_000 and report.done
    verdict = verified(cluster, manifest)
    assert verdict.ok, verdict.to_json()


def test_a_posting_that_nobody_should_have_written_is_seen(cluster: Settings) -> None:
    """The last test of this stack: it damages the journal."""
    consumer = Consumer({**cluster.librdkafka(), "group.id": "damage"})
    consumer.assign([TopicPartition("postings", 0, 0)])
    message = consumer.poll(30.0)
    consumer.close()
    assert message is not None and message.error() is None
    producer = Producer(cluster.librdkafka())
    producer.produce("postings", message.value(), message.key(), partition=0)
    assert producer.flush(30.0) == 0
    verdict = verified(cluster)
    failed = {check.name for check in verdict.checks if not check.ok}
    assert {"entries", "fold", "zero_sum"} <= failed
