"""A worker's membership in its consumer group, which is what fences it (KIP-447).

    assigned -> Member(generation, member id) -> every transaction's offsets -> the group coordinator

The offsets of a transaction name the membership under which the partitions were assigned. The coordinator
of the group takes them from a present member of the present generation only, so who lost a partition cannot
commit for it, however late it wakes up. aiokafka sends version 0 of the request, which has no membership and
is not checked; version 3 and its handler are here, installed for every transactional producer of the process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from aiokafka.errors import ProducerFenced
from aiokafka.producer import sender
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

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
        """Raise ProducerFenced if this is no member: a coordinator does not check offsets of nobody."""
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
        """Return the request; raises ProducerFenced where nobody is a member."""
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
        """Return how long to wait before another try, or None; raises ProducerFenced where refused."""
        errors = [
            (topic, [(partition, code) for partition, code, _ in partitions])
            for topic, partitions, _ in response.errors
        ]
        refused = {REFUSED[code] for _, partitions in errors for _, code in partitions if code in REFUSED}
        if refused:
            said = ", ".join(sorted(refused))
            raise ProducerFenced(f"the group has given this worker's partitions away ({said})")
        backoff: float | None = super().handle_response(SimpleNamespace(errors=errors))
        return backoff


sender.TxnOffsetCommitHandler = MemberOffsetsHandler
