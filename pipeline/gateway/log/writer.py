"""Produces the gateway's events, and tells an event loop when Kafka has acknowledged each.

event -> the newest schema, its id from the registry -> frame -> topic, by key -> acknowledged

An event whose acknowledgement does not come may be in the log. Whoever asks again with the same idempotency
key has the same ids, so it may be sent again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.serialization import MessageField, SerializationContext

from pipeline.gateway.log.together import Framed, Together
from pipeline.gateway.problems import Problem
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.connection import client, serializer
from pipeline.runtime.avro.registry import NotRegistered, answer_of
from pipeline.runtime.settings import Settings

DELIVERED_WITHIN_MS = 10_000
"""After so long without an acknowledgement a client is told that it has to ask again."""
WAITING_MAX = 20_000
"""Records that wait for Kafka; more are refused."""
POLL_S = 0.1
RETRY_AFTER_S = 1


def unavailable(detail: str) -> Problem:
    """Return the problem of a log that does not take a command now."""
    return Problem(503, "log_unavailable", detail, {"Retry-After": str(RETRY_AFTER_S)})


class Writer:
    """Produces events; for many requests at once, in one event loop."""

    def __init__(self, settings: Settings, kinds: Sequence[type[InputEvent]]) -> None:
        """Raises NotRegistered for a kind of event whose schema is missing, RegistryUnavailable."""
        self._producer = Producer(
            {
                **settings.librdkafka(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "delivery.timeout.ms": DELIVERED_WITHIN_MS,
                "queue.buffering.max.messages": WAITING_MAX,
                "log_level": 0,
            }
        )
        self._registry = client(settings.registry())
        self._serializers = {kind: serializer(self._registry, kind.schema_text()) for kind in kinds}
        self._require(kinds)
        self._together = Together(settings)
        self._acknowledged: deque[tuple[asyncio.Future[None], KafkaError | None]] = deque()
        self._will_be_told = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="acknowledgements", daemon=True)
        self._thread.start()

    async def write(self, event: InputEvent) -> None:
        """Produce an event; return once Kafka has acknowledged it. Raises Problem 503."""
        value = self._serializers[type(event)](event.to_avro(), _about(type(event)))
        await self.write_value(event.TOPIC, event.key(), value)

    async def write_all(self, events: Sequence[InputEvent]) -> None:
        """Produce events in one transaction; return once all are in the log. Raises Problem 503."""
        await self._together.write(
            [
                Framed(one.TOPIC, one.key(), self._serializers[type(one)](one.to_avro(), _about(type(one))))
                for one in events
            ]
        )

    async def write_value(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Produce a framed value; return once Kafka has it. Raises Problem 503."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._producer.produce(topic, value, key, on_delivery=partial(self._acknowledge, done))
        except BufferError:
            raise unavailable("too many commands wait for Kafka") from None
        except KafkaException as error:
            raise unavailable(f"Kafka does not take it: {error.args[0].name()}") from None
        await done

    def close(self) -> None:
        """Wait for what is under way, and end."""
        self._producer.flush(DELIVERED_WITHIN_MS / 1_000)
        self._ended.set()
        self._thread.join()

    def _require(self, kinds: Sequence[type[InputEvent]]) -> None:
        registered = frozenset(answer_of(self._registry.get_subjects) or ())
        for kind in kinds:
            if f"{kind.TOPIC}-{kind.RECORD_NAME}" not in registered:
                raise NotRegistered(
                    f"the schema registry lacks {kind.RECORD_NAME} for {kind.TOPIC}:"
                    " run `ledgerflow schemas register`"
                )

    def _poll(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(POLL_S)

    def _acknowledge(self, done: asyncio.Future[None], error: KafkaError | None, message: Message) -> None:
        """Have the event loop told, once for all that come together; called in the other thread."""
        self._acknowledged.append((done, error))
        if not self._will_be_told:
            self._will_be_told = True
            done.get_loop().call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._will_be_told = False  # first: what is acknowledged from now on is told by another call
        while self._acknowledged:
            done, error = self._acknowledged.popleft()
            if done.done():  # nobody waits any more
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(unavailable(f"Kafka has not acknowledged it: {error.name()}; ask again"))


def _about(kind: type[InputEvent]) -> SerializationContext:
    return SerializationContext(kind.TOPIC, MessageField.VALUE)
