"""Kafka's requests about transactions (KIP-664), which neither of our clients has.

    DescribeProducers     the leader of a partition: who writes there, and whose transaction is open
    ListTransactions      every broker: the transactional ids of producers that it coordinates
    DescribeTransactions  the coordinator: since when, how long it may take

Each has one version, which brokers have since Kafka 3.0. They can go when aiokafka's admin client has them.
"""

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)
NO_TAGS: dict[int, bytes] = {}


class DescribeProducersResponse(Response):
    """The producers of each partition."""

    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("error_message", _TEXT),
                        (
                            "producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("transaction_start_offset", Int64),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeProducersStruct(RequestStruct):
    """Asks for the producers of partitions, by topic."""

    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = DescribeProducersResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("name", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)), _TAGS
    )


class ListTransactionsResponse(Response):
    """The transactions of one coordinator."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(_TEXT)),
        (
            "transactions",
            CompactArray(("transactional_id", _TEXT), ("producer_id", Int64), ("state", _TEXT), _TAGS),
        ),
        _TAGS,
    )


class ListTransactionsStruct(RequestStruct):
    """Asks for transactions, by states and producers; empty filters ask for all."""

    FLEXIBLE_VERSION = True
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = ListTransactionsResponse
    SCHEMA = Schema(("states", CompactArray(_TEXT)), ("producer_ids", CompactArray(Int64)), _TAGS)


class DescribeTransactionsResponse(Response):
    """Transactions in detail; each has an error code of its own."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("state", _TEXT),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeTransactionsStruct(RequestStruct):
    """Asks for transactions by their ids."""

    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = DescribeTransactionsResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


class DescribeProducers(Request[DescribeProducersStruct]):
    """Who writes to partitions."""

    API_KEY = 61

    def __init__(self, topics: list[tuple[str, list[int]]]) -> None:
        self._topics = [(topic, partitions, NO_TAGS) for topic, partitions in topics]

    def build(self, request_struct_class: Any) -> DescribeProducersStruct:
        """Return what goes over the wire."""
        return DescribeProducersStruct(self._topics, NO_TAGS)


class ListTransactions(Request[ListTransactionsStruct]):
    """The transactional ids of some producers."""

    API_KEY = 66

    def __init__(self, producer_ids: list[int]) -> None:
        self._producer_ids = producer_ids

    def build(self, request_struct_class: Any) -> ListTransactionsStruct:
        """Return what goes over the wire."""
        return ListTransactionsStruct([], self._producer_ids, NO_TAGS)


class DescribeTransactions(Request[DescribeTransactionsStruct]):
    """Transactions in detail."""

    API_KEY = 65

    def __init__(self, transactional_ids: list[str]) -> None:
        self._transactional_ids = transactional_ids

    def build(self, request_struct_class: Any) -> DescribeTransactionsStruct:
        """Return what goes over the wire."""
        return DescribeTransactionsStruct(self._transactional_ids, NO_TAGS)
