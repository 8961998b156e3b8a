"""Who commits for a partition: the group's present members only; real Kafka, a real group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ProducerFenced
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.kafka.changelog import latest_of, log_ends, restore
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.kafka.records import NO_HEADERS, Outputs
from pipeline.runtime.kafka.topics import source_offsets_name
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.transactions import Source, TransactionalProducer
from tests.progress import SILENCE_S

LOG, OUT = "fenced-log", "fenced-out"


@pytest.fixture(scope="module")
def group(stack: LocalStack) -> str:
    """A group with its topics; each test adds to them."""
    name = "fenced"
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    for topic in (LOG, OUT, source_offsets_name(name)):
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(SILENCE_S)
    return name


def connection(stack: LocalStack) -> dict[str, str]:
    return {"bootstrap_servers": stack.bootstrap_servers}


@asynccontextmanager
async def membership(stack: LocalStack, group: str, instance_id: str | None) -> AsyncIterator[Member]:
    """Join the group, get the log's one partition, and stay."""
    consumer = AIOKafkaConsumer(
        LOG, group_id=group, group_instance_id=instance_id, enable_auto_commit=False, **connection(stack)
    )
    await consumer.start()
    try:
        async with asyncio.timeout(SILENCE_S):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=50)
        coordinator = consumer._coordinator
        yield Member(group, coordinator.generation, coordinator.member_id, instance_id)
    finally:
        await consumer.stop()


@asynccontextmanager
async def producer(stack: LocalStack, group: str, name: str) -> AsyncIterator[TransactionalProducer]:
    made = TransactionalProducer(group, f"{group}-{name}", connection(stack))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def one(text: str) -> Outputs:
    return {(OUT, 0): [(text.encode(), text.encode(), NO_HEADERS, None)]}


def reached(end: int) -> list[Source]:
    return [Source("stream", LOG, 0, end)]


async def said(stack: LocalStack) -> list[str]:
    """Return what is committed, in order."""
    consumer = AIOKafkaConsumer(isolation_level="read_committed", **connection(stack))
    await consumer.start()
    try:
        place = TopicPartition(OUT, 0)
        consumer.assign([place])
        ends = await log_ends(connection(stack), [place])
        await consumer.seek_to_beginning(place)
        found = []
        async with asyncio.timeout(SILENCE_S):
            while await consumer.position(place) < ends[place]:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += [record.value.decode() for record in records]
        return found
    finally:
        await consumer.stop()


async def applied(stack: LocalStack, group: str) -> int:
    place = TopicPartition(source_offsets_name(group), 0)
    return int((await latest_of(connection(stack), [place]))[place][b"stream"])


@pytest.mark.parametrize("instance_id", [None, "instance"])
async def test_a_member_commits_records_and_both_kinds_of_offsets(
    stack: LocalStack, group: str, instance_id: str | None
) -> None:
    async with membership(stack, group, instance_id) as member, producer(stack, group, "a") as made:
        made.commit_as(member)
        ends = await made.commit(one(f"by {instance_id}"), reached(5))
        assert ends[OUT, 0] == (await log_ends(connection(stack), [TopicPartition(OUT, 0)]))[OUT, 0] - 1
        assert (await said(stack))[-1] == f"by {instance_id}"
        assert await applied(stack, group) == 5


async def test_who_is_not_in_the_present_generation_cannot_commit(stack: LocalStack, group: str) -> None:
    async with membership(stack, group, None) as member:
        before = await said(stack), await applied(stack, group)
        earlier = member._replace(generation=member.generation - 1)
        stranger = member._replace(member_id="somebody-else")
        for name, other, reason in (
            ("b", earlier, "ILLEGAL_GENERATION"),
            ("c", stranger, "UNKNOWN_MEMBER_ID"),
        ):
            async with producer(stack, group, name) as made:
                made.commit_as(other)
                with pytest.raises(ProducerFenced, match=reason):
                    await made.commit(one(name), reached(99))
            async with producer(stack, group, name):
                pass  # which ends the open transaction
        assert (await said(stack), await applied(stack, group)) == before


async def test_the_earlier_self_of_an_instance_cannot_commit(stack: LocalStack, group: str) -> None:
    """As with a worker that is started a second time: the group stays in the same generation."""
    async with membership(stack, group, "twice") as first, membership(stack, group, "twice") as second:
        assert first.generation == second.generation
        async with producer(stack, group, "d") as made:
            made.commit_as(first)
            with pytest.raises(ProducerFenced, match="FENCED_INSTANCE_ID"):
                await made.commit(one("first"), reached(99))
        async with producer(stack, group, "d") as made:
            made.commit_as(second)
            await made.commit(one("second"), reached(7))
    assert (await said(stack))[-1] == "second"
    assert await applied(stack, group) == 7


async def test_nobody_cannot_commit(stack: LocalStack, group: str) -> None:
    """Kafka does not check offsets without a membership, so this is refused here."""
    async with producer(stack, group, "e") as made:
        with pytest.raises(ProducerFenced, match="no member of the group fenced"):
            made.commit_as(Member(group, -1, "", None))


async def test_recovery_waits_until_an_open_transaction_of_an_earlier_owner_is_decided(
    stack: LocalStack, group: str, tmp_path: Path
) -> None:
    store = PartitionStore(tmp_path / "table.rocks")
    async with membership(stack, group, None) as member, producer(stack, group, "f") as made:
        made.commit_as(member)
        kafka = made._producer
        await kafka.begin_transaction()
        await (await kafka.send(OUT, b"last", b"last", partition=0))
        restoring = asyncio.create_task(restore(connection(stack), {TopicPartition(OUT, 0): store}))
        await asyncio.sleep(1.0)
        assert not restoring.done()
        await kafka.commit_transaction()
        await asyncio.wait_for(restoring, SILENCE_S)
    assert store.committed_get(b"last") == b"last"
    store.close()
