"""Events that are in the log together or not at all: one Kafka transaction for the commands of one request.

Transactions of one producer follow each other. A gateway that dies in one leaves it open for
ENDS_WITHIN_MS at most; then Kafka aborts it, and whoever reads its topics goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaException, Producer

from pipeline.gateway.problems import Problem
from pipeline.runtime.kafka.access import GATEWAY_TRANSACTIONS
from pipeline.runtime.settings import Settings

ENDS_WITHIN_MS = 15_000
WITHIN_S = 10.0


class Framed(NamedTuple):
    """A record that is to be written."""

    topic: str
    key: bytes
    value: bytes


class Together:
    """Writes records in transactions, one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._connection = {
            **settings.librdkafka(),
            "transactional.id": f"{GATEWAY_TRANSACTIONS}{settings.app_id}:{secrets.token_hex(8)}",
            "transaction.timeout.ms": ENDS_WITHIN_MS,
            "partitioner": "murmur2_random",
            "log_level": 0,
        }
        self._producer: Producer | None = None
        self._turn = asyncio.Lock()

    async def write(self, records: Sequence[Framed]) -> None:
        """Write records, all or none. Raises Problem 503 where it is not known that they are in the log."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._write, records)
            except (KafkaException, BufferError) as error:
                self._producer = None  # the next one begins anew, and ends what this one has left
                said = error.args[0].name() if isinstance(error, KafkaException) else "too many records"
                detail = f"Kafka does not take it: {said}; ask again with the same key"
                raise Problem(503, "log_unavailable", detail, {"Retry-After": "1"}) from None

    def _write(self, records: Sequence[Framed]) -> None:
        producer = self._producer
        if producer is None:
            producer = Producer(self._connection)
            producer.init_transactions(WITHIN_S)
            self._producer = producer
        producer.begin_transaction()
        try:
            for record in records:
                producer.produce(record.topic, record.value, record.key)
            producer.commit_transaction(WITHIN_S)
        except BaseException:
            with contextlib.suppress(KafkaException):
                producer.abort_transaction(WITHIN_S)
            raise
