"""Open transactions on topics: whose they are, since when, and where they hold readers back.

leaders of the partitions -> producers with a transaction that is open -> all brokers: their ids, their times
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from pipeline.runtime.kafka.transaction_protocol import (
    DescribeProducers,
    DescribeTransactions,
    ListTransactions,
)

WITHIN_S = 15.0
NONE_OPEN = -1


class Start(NamedTuple):
    """Where a transaction begins on one partition: committed records from here on wait for its end."""

    topic: str
    partition: int
    offset: int


class OpenTransaction(NamedTuple):
    """A transaction that is neither committed nor aborted."""

    producer_id: int
    epoch: int
    starts: tuple[Start, ...]
    transactional_id: str | None = None
    """None where no coordinator tells it: it knows no such producer, or we may not ask."""
    started_ms: int | None = None
    """Milliseconds UTC, by the coordinator's clock."""
    timeout_ms: int | None = None
    """After this time the coordinator aborts it."""

    def __str__(self) -> str:
        """The transaction on one line, the same whenever it is asked for."""
        named = "unknown" if self.transactional_id is None else ascii(self.transactional_id)
        text = f"producer {self.producer_id}, epoch {self.epoch}, transactional id {named}"
        if self.started_ms is not None:
            text += f", open since {time_text(self.started_ms)}"
        if self.timeout_ms is not None:
            text += f", for {self.timeout_ms / 1000:g} s at most"
        return text


def time_text(at_ms: int) -> str:
    """Return a time, milliseconds UTC, as RFC 3339 to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def open_transactions(
    connection: Mapping[str, Any], topics: Mapping[str, Iterable[int]], within_s: float = WITHIN_S
) -> list[OpenTransaction]:
    """Return what is open on partitions of topics, the oldest first; `connection`: aiokafka's arguments.

    Raises TimeoutError, and aiokafka's KafkaError.
    """
    places = [TopicPartition(topic, number) for topic, numbers in topics.items() for number in numbers]
    if not places:
        return []
    client = AIOKafkaClient(**connection)
    try:
        async with asyncio.timeout(within_s):
            await client.bootstrap()
            await client.set_topics({place.topic for place in places})
            found = await _producers(client, places)
            return await _described(client, found)
    finally:
        await client.close()


async def _producers(client: Any, places: list[TopicPartition]) -> list[OpenTransaction]:
    by_leader: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place in places:
        leader = client.cluster.leader_for_partition(place)
        if leader is not None and leader >= 0:
            by_leader[leader][place.topic].append(place.partition)
    starts: defaultdict[tuple[int, int], list[Start]] = defaultdict(list)
    for leader, topics in by_leader.items():
        answer = await client.send(leader, DescribeProducers(list(topics.items())))
        for topic, partitions, _ in answer.topics:
            for partition, error_code, _, producers, _ in partitions:
                for producer_id, epoch, _, _, _, offset, _ in producers if not error_code else ():
                    if offset != NONE_OPEN:
                        starts[producer_id, epoch].append(Start(topic, partition, offset))
    return [OpenTransaction(*who, tuple(sorted(where))) for who, where in sorted(starts.items())]


async def _described(client: Any, found: list[OpenTransaction]) -> list[OpenTransaction]:
    """Add what coordinators know of producers; a broker that does not answer leaves something unknown."""
    ids: dict[int, str] = {}
    about: dict[str, tuple[int, int]] = {}
    brokers = [broker.nodeId for broker in client.cluster.brokers()] if found else []
    for broker in brokers:
        try:
            listed = await client.send(broker, ListTransactions([one.producer_id for one in found]))
            here = {producer_id: name for name, producer_id, _, _ in listed.transactions}
            if not here:
                continue
            described = await client.send(broker, DescribeTransactions(list(here.values())))
        except KafkaError:
            continue
        ids |= here
        for error_code, name, _, timeout_ms, start_ms, *_ in described.transactions:
            if not error_code:
                about[name] = start_ms, timeout_ms
    known = []
    for one in found:
        name = ids.get(one.producer_id)
        start_ms, timeout_ms = about.get(name or "", (NONE_OPEN, NONE_OPEN))
        started = start_ms if start_ms > 0 else None
        known.append(one._replace(transactional_id=name, started_ms=started))
        if timeout_ms > 0:
            known[-1] = known[-1]._replace(timeout_ms=timeout_ms)
    return sorted(known, key=lambda one: (one.started_ms or 0, one.producer_id))
