"""What has been published to fraud-rules: its records, applied as the streams apply them.

records of the topic -> events -> domain rules over rows in memory -> sets, models, and what was refused
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from pipeline.cli.reach import errors_in_one_line, require_kafka, require_topic
from pipeline.cli.records import TopicReader, TopicRecord, decoder
from pipeline.domain.fraud.publishing.publications import PUBLICATIONS, publish
from pipeline.domain.fraud.publishing.rows import INDEX_KEY, Index, read_index
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder
from schemas.topics import topics

TOPIC = "fraud-rules"
KINDS = {kind.__name__: kind for kind in PUBLICATIONS}
BYTES_MAX = 1024 * next(topic.event_kib_max for topic in topics(planned=True) if topic.name == TOPIC)
WHOLE = ("FraudRulesPublished", "FraudModelPublished")
"""The events that put something into use; the others are parts."""


class Refused(NamedTuple):
    """A record that the streams do not apply."""

    place: str
    code: str


class Log(NamedTuple):
    """What a log of publications comes to."""

    known: Index
    times: dict[str, int]
    """By hash of a set: from when on it holds, event time, microseconds UTC."""
    refused: tuple[Refused, ...]


def read_log(settings: Settings) -> Log:
    """Read the topic to its present end. Raises Failed, BadInput."""
    partitions = require_topic(require_kafka(settings), TOPIC)
    with errors_in_one_line(settings), closing(TopicReader(settings, TOPIC, partitions)) as reader:
        return log_of(reader.all(), decoder(settings))


def log_of(records: Iterable[TopicRecord], read: Decoder) -> Log:
    """Return what records come to; those of a tenant come in the order of its partition."""
    rows, times, refused = MemoryRows(), dict[str, int](), list[Refused]()
    for record in records:
        code = _refusal(record, read, rows, times)
        if code is not None:
            refused.append(Refused(record.place, code))
    return Log(read_index(rows.get(INDEX_KEY)), times, tuple(refused))


def _refusal(record: TopicRecord, read: Decoder, rows: MemoryRows, times: dict[str, int]) -> str | None:
    if len(record.value or b"") > BYTES_MAX:
        return "too_large"
    name, fields, code = read.read(record.value)
    kind = KINDS.get(name or "")
    if kind is None:
        return code or "unexpected_event"
    event: Any = msgspec.convert(fields, kind)
    if record.key != f"{event.tenant_id}/{event.tenant_id}".encode():
        return "wrong_key"
    try:
        publish(event, rows)
    except Reject as reject:
        return reject.code
    if name == "FraudRulesPublished":
        times[event.sha256] = event.effective_from
    return None
