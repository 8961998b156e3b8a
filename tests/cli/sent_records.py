"""A topic of one partition in place of Kafka: what a command sends becomes records, framed and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import schemas
from pipeline.cli.records import TopicRecord
from pipeline.cli.sending import Sent
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.framing import HEADER
from pipeline.verify.decode import Decoder
from tests.contract.samples import encoded
from tests.runtime.fixed_registry import FixedRegistry

_REGISTRY = FixedRegistry()
_BY_ID = {_REGISTRY.id_of(schema): schema for schema in schemas.load()}
DECODER = Decoder(lambda number: _BY_ID[number].text if number in _BY_ID else None)


class SentRecords:
    """The topic, and what is sent to it."""

    def __init__(self) -> None:
        self.events: list[InputEvent] = []
        self.records: list[TopicRecord] = []

    def send_all(self, _: Any, events: Sequence[InputEvent]) -> list[Sent]:
        """Take events in place of `sending.send_all`."""
        sent = []
        for event in events:
            key, offset = event.key().decode(), len(self.records)
            schema = schemas.newest(event.RECORD_NAME)
            value = HEADER.pack(0, _REGISTRY.id_of(schema)) + encoded(schema, event.to_avro())
            self.records.append(TopicRecord(event.TOPIC, 0, offset, 0, event.key(), value, []))
            sent.append(Sent(event.TOPIC, 0, offset, key, event.event_id))
        self.events += events
        return sent
