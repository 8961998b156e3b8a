"""The checker on a real cluster: a load with everything planted is right, and a forged output is seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.verify.model.wire import POSITIONS, POSTINGS, RESULTS
from tests.chaos.checker import Checker
from tests.integration.cluster import Cluster, cluster_in, problems

WITHIN_S = 30.0


@pytest.mark.long
def test_a_healthy_cluster_has_no_problem_while_it_runs_and_when_it_is_quiet(tmp_path: Path) -> None:
    with cluster_in(tmp_path) as cluster:
        cluster.start(0)
        cluster.wait_ready(0)
        settings = cluster.settings
        checker = Checker(
            settings.librdkafka(),
            settings.registry(),
            settings.app_id,
            [cluster.url(0)],
            cluster.manifests,
        )
        with ThreadPoolExecutor() as pool:
            loading = pool.submit(cluster.load, seed=41, payments=300, rate=100.0)
            while not loading.done():
                assert list(map(str, checker.check(quiet=False))) == []
            assert loading.result().done
        report = cluster.verify()  # waits until it is quiet
        assert report.ok, problems(report)
        assert list(map(str, checker.check(quiet=True))) == []
        for topic, check in ((RESULTS, "matches"), (POSITIONS, "positions"), (POSTINGS, "fold")):
            before = {(found.check, found.topic) for found in checker.check(quiet=True)}
            repeat_a_record(cluster, topic)
            now = {(found.check, found.topic) for found in checker.check(quiet=True)}
            assert (check, topic) in now - before


def repeat_a_record(cluster: Cluster, topic: str) -> None:
    """Write a record of a topic once more, as a stream that is not exactly-once would."""
    settings = cluster.settings
    consumer = Consumer({**settings.librdkafka(), "group.id": "forger"})
    partitions = consumer.list_topics(topic, WITHIN_S).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    message = consumer.poll(WITHIN_S)
    consumer.close()
    assert message is not None and message.error() is None
    producer = Producer(settings.librdkafka())
    producer.produce(topic, message.value(), message.key(), partition=message.partition())
    assert producer.flush(WITHIN_S) == 0
