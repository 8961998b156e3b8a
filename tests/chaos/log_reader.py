"""Topics as plain records: what the checker knows of Kafka and of the registry, and nothing else.

    topic -> read_committed, up to the high watermark of the moment -> frame -> strict Avro -> Record

An open transaction hides what comes after its first record. A read therefore waits a while for the last
stable offset to reach the high watermark that it saw; if it does not, the slice is not `whole`, and nobody
may say that its tail is lost. Values are decoded with the writer's schema from the registry; a value counts
as an event only if encoding it again gives the same bytes (a decoder may be lenient with hostile bytes).
"""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any, NamedTuple

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

NAMESPACE = "ledgerflow."
FRAME_BYTES = 5
TIMEOUT_S = 30.0
POLL_S = 0.05
BATCH_RECORDS = 1_000


class Record(NamedTuple):
    """A record; `event` is the short Avro name, None where the value is no event (`fault` says why)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    event: str | None
    fields: dict[str, Any]
    fault: str | None


class Slice(NamedTuple):
    """The committed records of a partition from some offset on, in order."""

    records: list[Record]
    end: int
    """Where to read on."""
    whole: bool
    """Whether everything that was in the log when the read began is in `records`."""


class Schemas:
    """Writer schemas by id, asked of the registry once each."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._known: dict[int, Any] = {}

    def decode(self, value: bytes | None) -> tuple[str | None, dict[str, Any], str | None]:
        """Return the event's name and fields, or the reason code of a value that is no event."""
        if value is None or len(value) < FRAME_BYTES:
            return None, {}, "no_header" if value else "no_value"
        if value[0] != 0:
            return None, {}, "wrong_magic_byte"
        schema = self.schema(int.from_bytes(value[1:FRAME_BYTES], "big"))
        if schema is None:
            return None, {}, "unknown_schema_id"
        raw = value[FRAME_BYTES:]
        again = io.BytesIO()
        try:
            fields = fastavro.schemaless_reader(io.BytesIO(raw), schema, None)
            fastavro.schemaless_writer(again, schema, fields)
        except Exception:  # whatever hostile bytes make the decoder raise, they are no event
            return None, {}, "malformed_value"
        if again.getvalue() != raw or not isinstance(fields, dict):
            return None, {}, "malformed_value"
        return schema["name"].removeprefix(NAMESPACE), fields, None

    def schema(self, schema_id: int) -> Any:
        """Return a parsed writer schema, None where the registry has no such event of ours."""
        if schema_id not in self._known:
            self._known[schema_id] = self._fetch(schema_id)
        return self._known[schema_id]

    def _fetch(self, schema_id: int) -> Any:
        """Return a parsed schema, None where the registry has no such event of ours."""
        try:
            with urllib.request.urlopen(f"{self._url}/schemas/ids/{schema_id}", timeout=TIMEOUT_S) as answer:
                text = json.load(answer)["schema"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        parsed: Any = fastavro.parse_schema(plain(json.loads(text)))
        return parsed if str(parsed.get("name", "")).startswith(NAMESPACE) else None


def plain(schema: Any) -> Any:
    """Return a schema without logical types: times and dates are compared as the integers on the wire."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {name: plain(value) for name, value in schema.items() if name != "logicalType"}
    return schema


class LogReader:
    """Reads topics and the committed offsets of `group`; never joins the group and commits nothing."""

    def __init__(self, bootstrap: str, registry_url: str, group: str, settle_s: float = 20.0) -> None:
        """`settle_s`: how long to wait for transactions under way to end."""
        common = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False}
        self._committed = Consumer(
            {
                **common,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "check.crcs": True,
            }
        )
        self._uncommitted = Consumer({**common, "isolation.level": "read_uncommitted"})
        self._schemas = Schemas(registry_url)
        self._settle_s = settle_s

    def close(self) -> None:
        """Give back the connections."""
        self._committed.close()
        self._uncommitted.close()

    def partitions(self, topic: str) -> int:
        """Return the number of partitions, 0 where there is no such topic."""
        about = self._committed.list_topics(timeout=TIMEOUT_S).topics.get(topic)
        return 0 if about is None else len(about.partitions)

    def committed(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Return the group's offsets, 0 where it has none; a commit under way is waited for.

        One partition at a time: there may be no moment at which no partition has a commit under way.
        """
        asked = [TopicPartition(name, number) for name in topics for number in range(self.partitions(name))]
        found = [self._committed.committed([place], timeout=TIMEOUT_S)[0] for place in asked]
        return {(place.topic, place.partition): max(0, place.offset) for place in found}

    def read(self, topic: str, starts: dict[int, int] | None = None) -> dict[int, Slice]:
        """Return every partition of a topic, from its beginning or from `starts`."""
        numbers = range(self.partitions(topic))
        ends = {number: self._high_watermark(topic, number) for number in numbers}
        positions = {number: (starts or {}).get(number, 0) for number in numbers}
        found: dict[int, list[Record]] = {number: [] for number in numbers}
        self._committed.assign(
            [TopicPartition(topic, number, positions[number] or OFFSET_BEGINNING) for number in numbers]
        )
        try:
            moved = time.monotonic()
            while any(positions[number] < ends[number] for number in numbers):
                messages = self._committed.consume(BATCH_RECORDS, POLL_S)
                if messages:
                    moved = time.monotonic()
                elif time.monotonic() - moved > self._settle_s:
                    break
                for message in messages:
                    number, offset = message.partition(), message.offset()
                    error = message.error()
                    if error is None:
                        found[number].append(self._record(message))
                        positions[number] = offset + 1
                    elif error.code() == KafkaError._PARTITION_EOF:
                        positions[number] = max(positions[number], offset)
                    else:
                        raise RuntimeError(f"{topic}[{number}]: {error.str()}")
        finally:
            self._committed.unassign()
        return {
            number: Slice(found[number], positions[number], positions[number] >= ends[number])
            for number in numbers
        }

    def _high_watermark(self, topic: str, number: int) -> int:
        place = TopicPartition(topic, number)
        return int(self._uncommitted.get_watermark_offsets(place, timeout=TIMEOUT_S)[1])

    def _record(self, message: Any) -> Record:
        headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
        place = (message.topic(), message.partition(), message.offset(), message.timestamp()[1])
        value = message.value()
        decoded = (None, {}, None) if is_raw(message.topic()) else self._schemas.decode(value)
        return Record(*place, message.key(), value, headers, *decoded)


def is_raw(topic: str) -> bool:
    """Whether the values of a topic are no events: rows of tables, and what could not be applied."""
    return topic == "dead-letters" or topic.endswith("-changelog")
