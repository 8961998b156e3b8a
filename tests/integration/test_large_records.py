"""A record that its compression has carried past the broker's limit stops nobody."""

from __future__ import annotations

import time
from pathlib import Path

from confluent_kafka import Consumer, Producer

from pipeline.domain import events as ev
from pipeline.domain.partitions import partition_of
from pipeline.runtime.codec import Codec
from pipeline.runtime.dead_letters import HEADER_CODE, HEADER_LEFT_OUT, HEADER_OFFSET
from pipeline.runtime.dead_letters import TOPIC as DEAD_LETTERS
from pipeline.runtime.registry import Registry
from tests.integration.cluster import Cluster, cluster_in, problems

HUGE = 40 * 2**20
SMALLER = 2**20
WITHIN_S = 30.0


def _account(number: int, customer: str) -> ev.AccountOpened:
    return ev.AccountOpened(
        f"e{number}", "acme", 1, "c", None, f"a{number}", customer, "checking", "EUR", 5, "retail", (), None
    )


def _produce(cluster: Cluster, events: list[ev.AccountOpened]) -> None:
    settings = cluster.settings
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    producer = Producer(
        {**settings.librdkafka(), "compression.type": "lz4", "message.max.bytes": 2 * HUGE, "linger.ms": 0}
    )
    for event, value in zip(events, Codec(registry).encode(events), strict=True):
        key = f"{event.tenant_id}/{event.account_id}"
        producer.produce("accounts", value, key, partition=partition_of(key, settings.partitions))
        assert producer.flush(WITHIN_S) == 0


def _dead_letters(cluster: Cluster, count: int) -> list[dict[str, bytes | None]]:
    consumer = Consumer(
        {**cluster.settings.librdkafka(), "group.id": "reader", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([DEAD_LETTERS])
    found: list[dict[str, bytes | None]] = []
    deadline = time.monotonic() + WITHIN_S
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            headers = dict(message.headers() or ())
            found.append({**headers, "size": str(len(message.value() or b"")).encode()})
    consumer.close()
    return found


def test_a_huge_record_is_a_dead_letter_and_its_partition_goes_on(tmp_path: Path) -> None:
    with cluster_in(tmp_path) as cluster:
        cluster.start(0)
        cluster.wait_ready(0)
        _produce(cluster, [_account(1, "x" * HUGE), _account(1, "y" * SMALLER), _account(1, "z")])
        huge, smaller = _dead_letters(cluster, 2)
        assert (huge[HEADER_CODE], smaller[HEADER_CODE]) == (b"too_large", b"too_large")
        assert (huge[HEADER_OFFSET], smaller[HEADER_OFFSET]) == (b"0", b"1")
        assert int(huge[HEADER_LEFT_OUT] or 0) > HUGE and huge["size"] == b"0"
        assert HEADER_LEFT_OUT not in smaller and int(smaller["size"] or 0) > SMALLER
        report = cluster.verify()
        assert report.ok, problems(report)
        assert report.records["balances"] == 2  # the account and what stands against it
        assert cluster.terminate(0) == 0
