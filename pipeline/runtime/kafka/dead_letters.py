"""Dead letters: what could not be applied, byte for byte, with the reason in headers (the shape of KIP-1034).

Key, value and timestamp are the record's own. No header quotes the payload. A record that is too large to be
written again (an upstream's compression may hide that from the broker) is not copied: its dead letter has no
key and no value, and a header with the record's size. A batch that is not read at all is one dead letter for
its range of offsets, from HEADER_OFFSET to HEADER_LAST_OFFSET.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.runtime.kafka.fetched import DeadBatch
from pipeline.runtime.kafka.records import OutputRecord

TOPIC = "dead-letters"

_PREFIX = "__ledgerflow.errors."
HEADER_CLASS = _PREFIX + "class"
HEADER_CODE = _PREFIX + "code"
HEADER_MESSAGE = _PREFIX + "message"
HEADER_STAGE = _PREFIX + "stage"
HEADER_TOPIC = _PREFIX + "topic"
HEADER_PARTITION = _PREFIX + "partition"
HEADER_OFFSET = _PREFIX + "offset"
HEADER_LAST_OFFSET = _PREFIX + "last-offset"
"""Of a range of offsets that are one dead letter; HEADER_OFFSET is the first one then."""
HEADER_TIMESTAMP = _PREFIX + "timestamp"
HEADER_GROUP = _PREFIX + "group"
HEADER_ATTEMPT = _PREFIX + "attempt"
"""How often the record has reached the stage; a redriven record carries the number of its last failure."""
HEADER_LEFT_OUT = _PREFIX + "left-out"
"""Bytes of key, value and headers that the dead letter does not hold; of a batch its size in Kafka."""
HEADER_CODEC = _PREFIX + "codec"
HEADER_DIGEST = _PREFIX + "sha256"
"""Of a batch that was not read, as Kafka has it."""
HEADER_PRODUCER = _PREFIX + "producer-id"

KEPT_BYTES_MAX = 8 * 2**20
CLASS_OF_BATCHES = "Batch"

Headers = list[tuple[str, bytes]]


class Reason(NamedTuple):
    """Why a record is a dead letter."""

    error_class: str
    """Where it failed: Decoding, Routing or Rejected; CLASS_OF_BATCHES where it was not read."""
    code: str
    detail: str


def headers_of(record: Any, source: tuple[str, int], reason: Reason, stage: str, group: str) -> Headers:
    """Return the headers of a dead letter: the reason first, then where the record came from.

    `source` is the topic and the partition that the record was read from.
    """
    own = {
        HEADER_CLASS: reason.error_class,
        HEADER_CODE: reason.code,
        HEADER_MESSAGE: reason.detail,
        HEADER_STAGE: stage,
        HEADER_TOPIC: source[0],
        HEADER_PARTITION: source[1],
        HEADER_OFFSET: record.offset,
        HEADER_TIMESTAMP: record.timestamp,
        HEADER_GROUP: group,
        HEADER_ATTEMPT: attempts_of(record) + 1,
    }
    kept = [(name, value) for name, value in record.headers if not name.startswith(_PREFIX)]
    return [(name, str(value).encode()) for name, value in own.items()] + kept


def letter_of(record: Any, source: tuple[str, int], reason: Reason, stage: str, group: str) -> OutputRecord:
    """Return the dead letter of a record of `source` (topic, partition)."""
    headers = headers_of(record, source, reason, stage, group)
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name) + len(value or b"") for name, value in record.headers)
    if size <= KEPT_BYTES_MAX:
        return record.key, record.value, headers, record.timestamp
    own = [(name, value) for name, value in headers if name.startswith(_PREFIX)]
    return None, None, [*own, (HEADER_LEFT_OUT, str(size).encode())], record.timestamp


def letter_of_batch(
    dead: DeadBatch, first: int, source: tuple[str, int], stage: str, group: str
) -> OutputRecord:
    """Return the dead letter of a range of offsets of `source` (topic, partition), from `first` on."""
    own = {
        HEADER_CLASS: CLASS_OF_BATCHES,
        HEADER_CODE: dead.code,
        HEADER_MESSAGE: dead.detail,
        HEADER_STAGE: stage,
        HEADER_TOPIC: source[0],
        HEADER_PARTITION: source[1],
        HEADER_OFFSET: first,
        HEADER_LAST_OFFSET: dead.offset,
        HEADER_TIMESTAMP: dead.timestamp,
        HEADER_GROUP: group,
        HEADER_ATTEMPT: 1,
        HEADER_LEFT_OUT: dead.packed_bytes,
        HEADER_CODEC: dead.codec,
        HEADER_DIGEST: dead.digest,
    }
    if dead.producer_id is not None:
        own[HEADER_PRODUCER] = dead.producer_id
    headers = [(name, str(value).encode()) for name, value in own.items()]
    return None, None, headers, dead.timestamp if dead.timestamp >= 0 else None


def attempts_of(record: Any) -> int:
    """Return how often the record has failed before, by the header that a redrive puts on it."""
    for name, value in record.headers:
        if name == HEADER_ATTEMPT and value is not None and value.isdigit() and len(value) < 10:
            return int(value)
    return 0
