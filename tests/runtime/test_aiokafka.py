"""What the runtime changes in aiokafka concerns its own clients, and no other of the process."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.consumer import fetcher
from aiokafka.errors import ProducerFenced, for_code
from aiokafka.producer import sender
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata

from pipeline.runtime.kafka import membership, patches
from pipeline.runtime.kafka.membership import Member, MemberProducer
from topologies import worker

PLACE = TopicPartition("log", 0)
MEMBER = Member("group", 3, "member", "instance")
BACKOFF_MS = 4
CONCURRENT_TRANSACTIONS = 51


class Client:
    """A client that keeps what it is asked to send, and answers with an error code."""

    def __init__(self, code: int = 0) -> None:
        self.sent: list[Any] = []
        self.code = code

    async def send(self, node: int, request: Any, group: Any = None) -> Any:
        self.sent.append(request)
        if isinstance(request, membership.TxnOffsetCommit):
            return SimpleNamespace(errors=[("log", [(0, self.code, {})], {})])
        return SimpleNamespace(errors=[("log", [(0, self.code)])])


async def asked(producer: AIOKafkaProducer, client: Client) -> list[Any]:
    """Return what a producer sends for the offsets of a transaction."""
    own: Any = producer._sender
    own.client = client

    async def coordinator(kind: CoordinationType, name: str) -> int:
        return 1

    own._find_coordinator = coordinator
    transaction = producer._txn_manager
    transaction.set_pid_and_epoch(7, 1)
    transaction.begin_transaction()
    transaction.add_offsets_to_txn({PLACE: OffsetAndMetadata(5, "")}, "group")
    transaction.consumer_group_added("group")
    await own._do_txn_offset_commit({PLACE: OffsetAndMetadata(5, "")}, "group")
    return client.sent


@pytest.fixture
async def ours() -> Any:
    return MemberProducer(transactional_id="ours", retry_backoff_ms=BACKOFF_MS)


@pytest.fixture
async def another() -> Any:
    """A producer that somebody else makes in the same process, after ours."""
    MemberProducer(transactional_id="ours", retry_backoff_ms=BACKOFF_MS)
    return AIOKafkaProducer(transactional_id="another")


async def test_our_producer_commits_offsets_in_its_members_name(ours: MemberProducer) -> None:
    ours.commit_as(MEMBER)
    (request,) = await asked(ours, Client())
    built = request.build(membership.TxnOffsetCommitStruct)
    assert (built.generation_id, built.member_id, built.group_instance_id) == (3, "member", "instance")
    assert built.topics == [("log", [(0, 5, -1, "", {})], {})]


async def test_our_producer_refuses_a_member_of_no_generation(ours: MemberProducer) -> None:
    with pytest.raises(ProducerFenced, match="no member of the group"):
        ours.commit_as(MEMBER._replace(generation=-1))


async def test_another_producer_of_the_process_is_aiokafkas_own(another: AIOKafkaProducer) -> None:
    assert type(another._sender) is sender.Sender
    assert (sender.TxnOffsetCommitHandler.__module__, sender.BACKOFF_OVERRIDE) == (sender.__name__, 0.02)
    (request,) = await asked(another, Client())
    assert type(request).__module__ == "aiokafka.protocol.transaction"


async def backoff(producer: Any, handler: Any) -> float | None:
    """Return how long a producer waits while the markers of its last transaction are being written."""
    transaction = producer._txn_manager
    transaction.set_pid_and_epoch(7, 1)
    transaction.begin_transaction()
    assert for_code(CONCURRENT_TRANSACTIONS).__name__ == "ConcurrentTransactions"
    answer = SimpleNamespace(errors=[("log", [(0, CONCURRENT_TRANSACTIONS)])])
    found: float | None = handler(producer._sender, [PLACE]).handle_response(answer)
    return found


async def test_only_our_producer_retries_soon_while_markers_are_written(
    ours: MemberProducer, another: AIOKafkaProducer
) -> None:
    assert await backoff(ours, membership.PartitionsHandler) == BACKOFF_MS / 1000
    assert await backoff(another, sender.AddPartitionsToTxnHandler) == 0.02


# --- consumers


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change, which is taken back whole: with a part of it no consumer of other tests could read."""
    for owner, name, _ in patches.CHANGES:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    patches.install()
    patches.install()


def records_for(key_deserializer: Any) -> Any:
    """Return what aiokafka's fetcher makes for a consumer with this deserializer of keys, of one record."""
    arguments = ("log", None, None, 0, key_deserializer, None, False, "read_committed")
    parsed = SimpleNamespace(
        offset=1, timestamp=2, timestamp_type=0, key=b"k", value=b"v", headers=[], checksum=None
    )
    return parsed, fetcher.PartitionRecords(*arguments)._consumer_record(PLACE, parsed)


def test_a_consumer_that_asks_for_parsed_records_gets_them_without_a_copy(installed: None) -> None:
    parsed, record = records_for(patches.as_parsed)
    assert record is parsed


def test_another_consumer_of_the_process_gets_aiokafkas_records(installed: None) -> None:
    for deserializer in (None, bytes.decode):
        _, record = records_for(deserializer)
        assert type(record) is ConsumerRecord and (record.topic, record.offset) == ("log", 1)


def test_importing_the_runtime_changes_nothing_in_aiokafka() -> None:
    """Not even the composition root, until it makes an app."""
    code = (
        "import aiokafka.conn as c, aiokafka.consumer.fetcher as f, aiokafka.producer.sender as s\n"
        "import topologies.worker, pipeline.runtime.kafka.transport, pipeline.rebuild.replay\n"
        "assert f.PartitionRecords.__module__ == f.__name__\n"
        "assert c.AIOKafkaConnection.close.__module__ == c.__name__\n"
        "assert s.TxnOffsetCommitHandler.__module__ == s.__name__ and s.BACKOFF_OVERRIDE == 0.02\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- versions


async def test_another_version_of_aiokafka_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    for refusing in (patches.install, lambda: MemberProducer(transactional_id="x", retry_backoff_ms=1)):
        with pytest.raises(patches.UnsupportedVersion) as caught:
            refusing()
        assert "aiokafka 0.15.0 is installed" in str(caught.value) and "\n" not in str(caught.value)
        assert f"aiokafka=={patches.MADE_FOR}" in str(caught.value)


def test_a_worker_with_another_version_says_so_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    monkeypatch.setenv("LEDGERFLOW_DATA_DIR", str(tmp_path))
    assert worker.main([]) == worker.EXIT_UNUSABLE
    assert capsys.readouterr().err.startswith("error: aiokafka 0.15.0 is installed")


def test_the_version_is_the_one_that_is_pinned() -> None:
    assert aiokafka.__version__ == patches.MADE_FOR
