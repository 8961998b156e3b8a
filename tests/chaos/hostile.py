"""Hostile input: what upstreams have sent, once more for a tenant of its own, damaged in every way.

    the newest records of each input -> the same in TENANT -> repeated, shuffled, skewed, absurd, malformed

Nothing here says what must come of a record: the checker works that out from the bytes alone. The tenant
keeps the ordinary traffic, whose planted causes have known effects, apart.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import fastavro
from confluent_kafka import Producer, TopicPartition

from pipeline.domain.kernel.partitions import partition_of
from pipeline.runtime.avro.check import parsed
from pipeline.runtime.avro.connection import Connection
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.verify.decode import Decoder, registry_schemas
from pipeline.verify.model.wire import KEY_FIELD, UPSTREAM

TENANT = "hostile"
NEWEST = 40
"""Records taken of each partition of an input, at most."""
WITHIN_S = 30.0
LONG_MAX, LONG_MIN = 2**63 - 1, -(2**63)
HOUR_US = 3_600_000_000
LONG_TEXT = 2**20
UNKNOWN_SCHEMA_ID = 2_000_000_007
HEAD_BYTES = 5


class Sent(NamedTuple):
    """A record to be produced."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int


class Event(NamedTuple):
    """A good event of an upstream, as its writer's schema has it."""

    topic: str
    head: bytes
    schema: Any
    fields: dict[str, Any]
    key_field: str
    """The field that stands behind the tenant in its key."""

    def with_fields(self, **fields: Any) -> Event:
        """Return the event with other values."""
        return self._replace(fields={**self.fields, **fields})


class Hostile:
    """Produces bursts of hostile records."""

    def __init__(self, client: dict[str, Any], registry: Connection, partitions: int) -> None:
        """`client`: how librdkafka reaches the cluster."""
        self._client = client
        self._decoder = Decoder(registry_schemas(registry))
        self._partitions = partitions

    def burst(self, seed: int) -> int:
        """Produce one burst, a function of the seed and of what is on the topics; return its records."""
        chance = Random(seed)
        known = {topic: self._newest(topic) for topic in UPSTREAM}
        producer = Producer({**self._client, "message.max.bytes": 2**23, "linger.ms": 5})
        count = 0
        for topic in UPSTREAM:  # accounts come first, most of the rest would be refused without them
            for sent in damaged(known[topic], chance, self._partitions):
                producer.produce(sent.topic, sent.value, sent.key, partition=sent.partition)
                producer.poll(0)
                count += 1
        left = producer.flush(WITHIN_S)
        if left:
            raise AssertionError(f"Kafka did not take {left} hostile records in {WITHIN_S:.0f} s")
        return count

    def _newest(self, topic: str) -> list[Event]:
        """Return the newest good events of an input, for TENANT."""
        consumer = BoundedConsumer({**self._client, "group.id": "hostile", "enable.auto.commit": False})
        try:
            places, left = [], 0
            for number in range(self._partitions):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=WITHIN_S)
                start = max(low, high - NEWEST)
                places.append(TopicPartition(topic, number, start))
                left += high - start
            consumer.assign(places)
            messages = consumer.consume(left, WITHIN_S) if left else []
        finally:
            consumer.close()
        events = [event_of(self._decoder, topic, message.value()) for message in messages]
        return [event for event in events if event is not None]


def event_of(decoder: Decoder, topic: str, value: bytes | None) -> Event | None:
    """Return an upstream's event, for TENANT; None where the value is no event with a key."""
    name, fields, _ = decoder.read(value)
    if value is None or name not in KEY_FIELD:
        return None
    schema = parsed(decoder.schema(value[1:HEAD_BYTES]).text)
    fields = {**fields, "tenant_id": TENANT, **of_tenant(fields)}
    return Event(topic, value[:HEAD_BYTES], schema, fields, KEY_FIELD[name])


def of_tenant(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what a publication says of its tenant, so that it is one of TENANT."""
    if "of_tenant" not in fields:
        return {}
    if "head" not in fields:
        return {"of_tenant": TENANT}
    try:
        form, content, lists = json.loads(fields["head"])
        content[2] = TENANT
        content[6] = [[TENANT, *one[1:]] for one in content[6]]
    except (ValueError, TypeError, IndexError):  # a broken one: it stays as it is
        return {"of_tenant": TENANT}
    head = json.dumps([form, content, lists], separators=(",", ":"), ensure_ascii=False)
    return {"of_tenant": TENANT, "head": head, "sha256": hashlib.sha256(head.encode()).hexdigest()}


def damaged(events: list[Event], chance: Random, partitions: int) -> Iterator[Sent]:
    """Yield the events in their order, then again: shuffled, with other contents, malformed."""
    for event in events:
        yield _sent(event, partitions)
    again = [*events, *chance.choices(events, k=len(events) // 2)] if events else []
    chance.shuffle(again)
    for event in again:
        sent = _sent(chance.choice(CONTENTS)(event, chance), partitions)
        yield sent if chance.random() < 0.5 else _malformed(sent, chance, partitions)


def _sent(event: Event, partitions: int) -> Sent:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, event.schema, event.fields)
    key = f"{event.fields['tenant_id']}/{event.fields[event.key_field]}"
    partition = partition_of(key, partitions)
    return Sent(event.topic, key.encode(), event.head + body.getvalue(), partition)


def _malformed(sent: Sent, chance: Random, partitions: int) -> Sent:
    value = sent.value or b""
    kind = chance.randrange(9)
    if kind == 0:
        return sent._replace(value=value[: chance.randrange(len(value))])
    if kind == 1:
        flipped = bytearray(value)
        flipped[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        return sent._replace(value=bytes(flipped))
    if kind == 2:
        return sent._replace(value=bytes([chance.randrange(1, 256)]) + value[1:])
    if kind == 3:
        return sent._replace(value=b"\0" + UNKNOWN_SCHEMA_ID.to_bytes(4, "big") + value[HEAD_BYTES:])
    if kind == 4:
        return sent._replace(value=value + chance.randbytes(chance.randrange(1, 9)))
    if kind == 5:
        return sent._replace(value=chance.choice((None, b"")))
    if kind == 6:
        return sent._replace(key=chance.choice((None, b"", b"\xff", (sent.key or b"") + b"x")))
    if kind == 7:
        return sent._replace(partition=chance.randrange(partitions))
    return sent._replace(value=value[:HEAD_BYTES] + chance.randbytes(len(value) - HEAD_BYTES))


def same(event: Event, chance: Random) -> Event:
    """The same event again."""
    return event


def absurd(event: Event, chance: Random) -> Event:
    """An amount, a quantity or a price that no upstream means."""
    names = [name for name in event.fields if name.endswith(("_minor", "_e8"))]
    if not names:
        return event
    return event.with_fields(**{chance.choice(names): chance.choice((LONG_MAX, LONG_MIN, 0, -1, 1))})


def skewed(event: Event, chance: Random) -> Event:
    """A clock that is wrong, or an event that has waited for months.

    No clock is ahead by more than some hours: a stream's event time belongs to all of its tenants, and a
    break that falls due is one that nobody has planted.
    """
    if "occurred_at" not in event.fields:
        return event
    now = event.fields["occurred_at"]
    times = (now - 100 * 24 * HOUR_US, now - 40 * HOUR_US, now + 6 * HOUR_US, 0, -1)
    return event.with_fields(occurred_at=chance.choice(times))


def renamed(event: Event, chance: Random) -> Event:
    """New ids with the old contents, or old ids under a strange name."""
    names = [name for name in texts(event) if name.endswith("_id")]
    strange = (f"x{chance.randrange(10**9)}", "", "$cash:EUR:0", "a/b", "a\0b", "ä€😀", "%s{}\n\"'")
    return event.with_fields(**{chance.choice(names): chance.choice(strange)})


def miswritten(event: Event, chance: Random) -> Event:
    """One character of a text is another one: a hash, a part of a model, a condition."""
    name = chance.choice([name for name in texts(event) if event.fields.get(name)])
    text = event.fields[name]
    place = chance.randrange(len(text))
    return event.with_fields(**{name: text[:place] + chance.choice("a0/\\ ") + text[place + 1 :]})


def long_text(event: Event, chance: Random) -> Event:
    """A text of a megabyte; seldom, because every output repeats it."""
    if chance.random() < 0.9:
        return event
    return event.with_fields(**{chance.choice(texts(event)): "x" * LONG_TEXT})


def texts(event: Event) -> list[str]:
    """Return the names of the fields that take any text."""
    return [
        field["name"]
        for field in event.schema["fields"]
        if field["type"] == "string" or (isinstance(field["type"], list) and "string" in field["type"])
    ]


CONTENTS: tuple[Callable[[Event, Random], Event], ...] = (
    same,
    absurd,
    skewed,
    renamed,
    miswritten,
    long_text,
)
