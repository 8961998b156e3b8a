"""A worker's membership in its consumer group, which is what fences it (KIP-447).

    assigned -> Member(generation, member id) -> every transaction's offsets -> the group coordinator

The offsets of a transaction name the membership under which the partitions were assigned. The coordinator
of the group takes them from a present member of the present generation only, so who lost a partition cannot
commit for it, however late it wakes up. aiokafka sends version 0 of the request, which has no membership and
is not checked. `MemberProducer` sends version 3; no other producer of the process is changed. It can go when
aiokafka's `send_offsets_to_transaction` takes the group's metadata, as the Java client's does.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import GroupAuthorizationFailedError, ProducerFenced
from aiokafka.producer import sender
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from pipeline.runtime.kafka.patches import require_version

REFUSED = {22: "ILLEGAL_GENERATION", 25: "UNKNOWN_MEMBER_ID", 82: "FENCED_INSTANCE_ID"}
"""What the group coordinator answers to who is no member (any more), by error code."""
_NO_LEADER_EPOCH = -1
_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
_NO_TAGS: dict[int, bytes] = {}


class Member(NamedTuple):
    """A member of a consumer group in one generation."""

    group: str
    generation: int
    member_id: str
    instance_id: str | None

    def require_valid(self) -> None:
        """Raises ProducerFenced where this is no member: a coordinator does not check offsets without one."""
        if self.generation < 0 or not self.member_id:
            raise ProducerFenced(f"this worker is no member of the group {self.group}")


class TxnOffsetCommitResponse(Response):
    """Version 3: an error code for each partition."""

    API_KEY = 28
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "errors",
            CompactArray(
                ("topic", _TEXT),
                ("partition_errors", CompactArray(("partition", Int32), ("error_code", Int16), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class TxnOffsetCommitStruct(RequestStruct):
    """Version 3: offsets of a group, with the membership of who commits them."""

    FLEXIBLE_VERSION = True
    API_KEY = 28
    API_VERSION = 3
    RESPONSE_TYPE = TxnOffsetCommitResponse
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("group_id", _TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", _TEXT),
        ("group_instance_id", _TEXT),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class TxnOffsetCommit(Request[TxnOffsetCommitStruct]):
    """The request, for brokers since Kafka 2.5."""

    API_KEY = 28

    def __init__(self, *fields: Any) -> None:
        self._fields = fields

    def build(self, request_struct_class: type[TxnOffsetCommitStruct]) -> TxnOffsetCommitStruct:
        """Return what goes over the wire."""
        return request_struct_class(*self._fields)


class MemberOffsetsHandler(sender.TxnOffsetCommitHandler):
    """Sends the offsets of a transaction in the name of the producer's member."""

    def create_request(self) -> TxnOffsetCommit:
        """Return the request. Raises ProducerFenced where this worker is no member."""
        member: Member = self._sender.member
        member.require_valid()
        transaction = self._sender._txn_manager
        topics: dict[str, list[Any]] = {}
        for place, offset in sorted(self._offsets.items()):
            about = (place.partition, offset.offset, _NO_LEADER_EPOCH, offset.metadata, _NO_TAGS)
            topics.setdefault(place.topic, []).append(about)
        return TxnOffsetCommit(
            transaction.transactional_id,
            member.group,
            transaction.producer_id,
            transaction.producer_epoch,
            *member[1:],
            [(topic, partitions, _NO_TAGS) for topic, partitions in topics.items()],
            _NO_TAGS,
        )

    def handle_response(self, response: Any) -> float | None:
        """Return how long to wait before another try, or None. Raises ProducerFenced where it is refused."""
        errors = [
            (topic, [(partition, code) for partition, code, _ in partitions])
            for topic, partitions, _ in response.errors
        ]
        refused = {REFUSED[code] for _, partitions in errors for _, code in partitions if code in REFUSED}
        if refused:
            names = ", ".join(sorted(refused))
            raise ProducerFenced(f"the group has given this worker's partitions away ({names})")
        backoff: float | None = super().handle_response(SimpleNamespace(errors=errors))
        return backoff


class PartitionsHandler(sender.AddPartitionsToTxnHandler):
    """Adds partitions to a transaction, with the producer's backoff while the last one's markers are written.

    aiokafka waits 20 ms then, whatever the producer's backoff is.
    """

    def handle_response(self, response: Any) -> float | None:
        """Return how long to wait before another try, or None; raises as aiokafka's."""
        backoff: float | None = super().handle_response(response)
        return None if backoff is None else min(backoff, self._default_backoff)


class MemberSender(sender.Sender):
    """aiokafka's sender, with the offsets of a transaction in the name of a member."""

    member: Member
    """Whom offsets are committed for; to be set before the first transaction."""

    async def _do_add_partitions_to_txn(self, partitions: Any) -> Any:
        transactional_id = self._txn_manager.transactional_id
        node = await self._find_coordinator(CoordinationType.TRANSACTION, transactional_id)
        return await PartitionsHandler(self, partitions).do(node)

    async def _do_txn_offset_commit(self, offsets: Any, group: str) -> None:
        if not offsets:
            return
        try:
            node = await self._find_coordinator(CoordinationType.GROUP, group)
        except GroupAuthorizationFailedError as error:
            self._txn_manager.error_transaction(error)
            return
        await MemberOffsetsHandler(self, offsets, group).do(node)


class MemberProducer(AIOKafkaProducer):
    """A transactional producer whose offsets are committed in the name of a member (`commit_as`).

    Other producers of the process are aiokafka's own.
    """

    def __init__(self, *, retry_backoff_ms: int, **settings: Any) -> None:
        """`settings`: aiokafka's. Raises UnsupportedVersion where aiokafka is not the one it was made for."""
        require_version()
        super().__init__(retry_backoff_ms=retry_backoff_ms, **settings)
        plain: Any = self.__dict__["_sender"]  # not started yet
        self._sender = MemberSender(
            plain.client,
            acks=plain._acks,
            txn_manager=plain._txn_manager,
            message_accumulator=plain._message_accumulator,
            retry_backoff_ms=retry_backoff_ms,
            request_timeout_ms=plain._request_timeout_ms,
        )

    def commit_as(self, member: Member) -> None:
        """Commit offsets in the name of a member from now on. Raises ProducerFenced if it is none."""
        member.require_valid()
        self._sender.member = member
