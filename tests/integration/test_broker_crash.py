"""A broker that is killed: what was never committed stays invisible when it is there again.

Everything the streams promise stands on this, and broker 4.3.1 does not keep it (see runtime/artifacts.py).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings
from tests.conftest import settings_in
from tests.progress import SILENCE_S

TOPIC = "crash"
TRANSACTIONS = 8
TIMEOUT_MS = 1_000
"""Of a transaction: the broker, there again, ends the open ones at once, while it is still starting."""


def producer_of(settings: Settings, number: int) -> Producer:
    """Return the next owner of a transactional id; it ends the transaction of the one before."""
    producer = Producer(
        {
            **settings.librdkafka(),
            "transactional.id": f"crash-{number}",
            "transaction.timeout.ms": TIMEOUT_MS,
            "log_level": 0,
        }
    )
    producer.init_transactions(SILENCE_S)
    return producer


def commit(producer: Producer, number: int, value: bytes) -> None:
    """Commit one record."""
    producer.begin_transaction()
    producer.produce(TOPIC, value, partition=number % 4)
    producer.commit_transaction(SILENCE_S)


def committed(settings: Settings) -> list[bytes]:
    """Return what a reader of committed records sees."""
    reader = Consumer(
        {
            **settings.librdkafka(),
            "group.id": "crash",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    reader.assign([TopicPartition(TOPIC, number, 0) for number in range(4)])
    found: list[bytes] = []
    ends = 0
    while ends < 4:
        message = reader.poll(SILENCE_S)
        assert message is not None, "the last stable offset does not move on"
        if message.error() is None:
            found.append(message.value() or b"")
        else:
            ends += 1
    reader.close()
    return sorted(found)


def test_open_transactions_of_a_broker_that_was_killed_are_aborted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with LocalStack(settings) as stack:
        admin = AdminClient({**settings.librdkafka(), "log_level": 0})
        admin.create_topics([NewTopic(TOPIC, 4, 1)])[TOPIC].result(SILENCE_S)
        owners = [producer_of(settings, number) for number in range(TRANSACTIONS)]
        for number, owner in enumerate(owners):
            commit(owner, number, b"before")
            owner.begin_transaction()
            owner.produce(TOPIC, b"never committed", partition=number % 4)
            assert owner.flush(SILENCE_S) == 0
        broker = psutil.Process(stack.pids["kafka"])
        os.kill(broker.pid, signal.SIGKILL)
        broker.wait(SILENCE_S)
    owners.clear()
    with LocalStack(settings):
        for number in range(TRANSACTIONS):
            commit(producer_of(settings, number), number, b"later")
        assert committed(settings) == [b"before"] * TRANSACTIONS + [b"later"] * TRANSACTIONS
