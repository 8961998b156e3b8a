"""Reads topics for people: committed records, decoded; the last ones, all, or new ones as they come."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from pipeline.cli.amounts import money
from pipeline.domain.kernel.amounts import MINOR, amount_text
from pipeline.domain.kernel.times import EPOCH
from pipeline.runtime.avro.connection import client
from pipeline.runtime.avro.references import lookup
from pipeline.runtime.avro.registry import unavailable
from pipeline.runtime.escaping import escaped
from pipeline.runtime.kafka.bounded import BoundedConsumer
from pipeline.runtime.kafka.messages import Message
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder, Event, SchemaOf

POLL_S = 0.2
BATCH_MAX = 2_000
ERROR_HEADER = "__ledgerflow.errors."
"""Prefix of the header names of a dead letter; see runtime/kafka/dead_letters.py."""
_ENVELOPE = ("event_id", "tenant_id", "correlation_id", "causation_id")
_PLAIN = re.compile(r"[\w$./:+@%-]+")


class TopicRecord(NamedTuple):
    """One committed record."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def place(self) -> str:
        """Topic, partition and offset, as `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def error(self) -> dict[str, str]:
        """The headers of a dead letter without prefix: code, class, message, stage, topic, ... Else empty."""
        return {
            name.removeprefix(ERROR_HEADER): value.decode(errors="replace")
            for name, value in self.headers
            if name.startswith(ERROR_HEADER)
        }


class TopicReader:
    """Reads the committed records of a topic. All methods raise KafkaException if Kafka does not answer."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = range(partitions)
        self._next: dict[int, int] = {}
        self._consumer = BoundedConsumer(
            {
                **settings.librdkafka(),
                "group.id": f"{settings.app_id}-tail",  # the client requires one; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def all(self) -> Iterator[TopicRecord]:
        """Yield all present records of the topic; in order within a partition."""
        yield from self._read(dict.fromkeys(self._partitions, OFFSET_BEGINNING), to_the_end=True)

    def from_offsets(self, starts: Mapping[int, int]) -> Iterator[TopicRecord]:
        """Yield the present records of some partitions from an offset of each on."""
        yield from self._read(dict(starts), to_the_end=True)

    def last(self, count: int) -> list[TopicRecord]:
        """Return the newest `count` records, oldest first."""
        bounds = {
            number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=10)
            for number in self._partitions
        }
        span = max(2 * count, 20)  # control records of transactions take offsets, too
        while True:
            starts = {number: max(low, high - span) for number, (low, high) in bounds.items()}
            found = list(self._read(starts, to_the_end=True))
            if len(found) >= count or all(starts[number] == bounds[number][0] for number in starts):
                found.sort(key=lambda record: (record.timestamp_ms, record.partition, record.offset))
                return found[-count:] if count else []
            span *= 8

    def follow(self) -> Iterator[TopicRecord]:
        """Yield without end the records after those that were read; if none was read, the new ones."""
        if not self._next:
            self.last(0)
        yield from self._read(dict(self._next), to_the_end=False)

    def _read(self, starts: dict[int, int], *, to_the_end: bool) -> Iterator[TopicRecord]:
        self._consumer.assign([TopicPartition(self._topic, *start) for start in starts.items()])
        waiting = set(starts)
        try:
            while waiting or not to_the_end:
                for message in self._consumer.consume(BATCH_MAX, POLL_S):
                    if (end := _end_of_partition(message)) is not None:
                        waiting.discard(end[0])
                        self._next[end[0]] = end[1]
                        continue
                    record = as_record(message)
                    self._next[record.partition] = record.offset + 1
                    yield record
        finally:
            with contextlib.suppress(RuntimeError):  # the consumer was closed before this generator
                self._consumer.unassign()


def _end_of_partition(message: Any) -> tuple[int, int] | None:
    """Return (partition, next offset) for an end of partition, else None. Raises KafkaException."""
    error = message.error()
    if error is None:
        return None
    partition, offset = message.partition(), message.offset()
    if error.code() == KafkaError._PARTITION_EOF and partition is not None and offset is not None:
        return partition, offset
    raise KafkaException(error)


def as_record(message: Message) -> TopicRecord:
    """Return a consumed message as a record."""
    headers: Any = message.headers() or []
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None and partition is not None and offset is not None
    key, value = _bytes(message.key()), _bytes(message.value())
    return TopicRecord(topic, partition, offset, message.timestamp()[1], key, value, headers)


def _bytes(content: Any) -> bytes | None:
    return content.encode() if isinstance(content, str) else content


def decoder(settings: Settings) -> Decoder:
    """Return a decoder that asks the registry once per schema. The decoder raises RegistryUnavailable."""
    return Decoder(schemas_of(settings))


def schemas_of(settings: Settings) -> SchemaOf:
    """Return a function that gets a schema from the registry. The function raises RegistryUnavailable,
    and UnreadableSchema for one beyond the limits."""
    return lookup(client(settings.registry()), unavailable)


def as_json(record: TopicRecord, event: Event | None) -> dict[str, Any]:
    """Return a record as JSON values. Times are microseconds UTC as in Avro, `timestamp` is milliseconds."""
    said: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        **_text("key", record.key),
        "event": None if event is None else event.name,
        "value": None if event is None else event.fields,
    }
    if event is None and record.value is not None:
        said["value_base64"] = base64.b64encode(record.value).decode()
    if error := record.error:
        said["error"] = error
    return said


def _text(name: str, content: bytes | None) -> dict[str, str | None]:
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(content).decode()}


def as_line(record: TopicRecord, event: Event | None, style: Callable[[str, str], str]) -> str:
    """Return a record as one line for people, escaped; `style(text, colour)` colours a part."""
    time = time_text(record.timestamp_ms)
    parts = [style(escaped(f"{time} {record.place}"), "bright_black"), key_text(record.key)]
    if error := record.error:
        attempt = f" attempt {error['attempt']}" if error.get("attempt", "1") != "1" else ""
        code = style(escaped(error.get("code", "?")), "red")
        parts.append(code + escaped(f" in {error.get('stage')}: {origin_of(record)}{attempt}"))
        if error.get("message"):
            parts.append(_shown("message", error["message"]))
    if event is not None:
        parts.append(style(escaped(event.name), "cyan"))
        fields = {name: value for name, value in event.fields.items() if name not in _ENVELOPE}
        parts += [
            escaped(f"{name}={_shown(name, value)}{_in_decimals(name, value, event.fields.get('currency'))}")
            for name, value in fields.items()
            if value is not None
        ]
    elif record.value is None:
        parts.append("(no value)")
    else:
        parts.append(f"({len(record.value)} bytes, no event)")
    return " ".join(parts)


def origin_of(record: TopicRecord) -> str:
    """Return where the record of a dead letter stands, as its headers say."""
    error = record.error
    return escaped(f"{error.get('topic')}[{error.get('partition')}]@{error.get('offset')}")


def time_text(timestamp_ms: int) -> str:
    """Return a record's time, UTC; what is no time of this calendar as milliseconds."""
    try:
        return (EPOCH + timedelta(milliseconds=max(timestamp_ms, 0))).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    except OverflowError:
        return f"{timestamp_ms} ms"


def key_text(key: bytes | None) -> str:
    """Return a key as one line of text, with escapes for other bytes."""
    if key is None:
        return "(no key)"
    return escaped(key.decode(errors="backslashreplace")) if key else "(empty key)"


def field_text(name: str, value: Any) -> str:
    """Return the value of an event's field as one line of text, escaped."""
    return escaped(_shown(name, value))


def _in_decimals(name: str, value: Any, currency: Any) -> str:
    """Return an amount of minor units with decimals, in parentheses; nothing for what is no amount."""
    if MINOR not in name or not isinstance(value, int) or not isinstance(currency, str):
        return ""
    text = amount_text(value, currency)
    return "" if text is None else f" ({text})"


def _shown(name: str, value: Any) -> str:
    """Return a value as one line of text. `name` tells whether an integer is a time or a date."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            if name.endswith(("_at", "closed_through")):
                return (EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
            if name.endswith("_date"):
                return (EPOCH + timedelta(days=value)).date().isoformat()
        except OverflowError:
            pass
        return str(value)
    if isinstance(value, str):
        if value.isprintable():
            return value if _PLAIN.fullmatch(value) else repr(value)
        return f"'{escaped(value)}'"
    if isinstance(value, list):
        return "[" + ", ".join(_shown("", item) for item in value) + "]"
    if isinstance(value, dict) and "leg_no" in value:
        with contextlib.suppress(KeyError, TypeError, ValueError):  # another schema: anyone may write one
            return _leg(value)
    if isinstance(value, dict):
        parts = (f"{_shown('', part)}={_shown(part, item)}" for part, item in value.items())
        return "{" + ", ".join(parts) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _leg(leg: dict[str, Any]) -> str:
    """Return a leg of a journal as number, entry, account and signed amount: `2/0 alice +12.50 EUR fee`."""
    sign = "-" if leg["side"] == "DEBIT" else "+"
    words = [f"{leg['leg_no']:d}/{leg['entry_no']:d}", _shown("", leg["account_id"])]
    if not _PLAIN.fullmatch(leg["currency"]):
        raise ValueError("no leg of ours")
    words.append(f"{sign}{money(leg['amount_minor'], leg['currency'])}")
    if leg["purpose"] is not None:
        words.append(_shown("", leg["purpose"]))
    if leg["rate_e8"] is not None:
        whole, part = divmod(abs(leg["rate_e8"]), 10**8)
        words.append(f"at {'-' if leg['rate_e8'] < 0 else ''}{whole}.{part:08}")
    return " ".join(words)
