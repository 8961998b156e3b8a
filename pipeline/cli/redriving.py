"""Sends the records of dead letters to their topics again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from pipeline.cli.letters import REDRIVEN_HEADER, Letter
from pipeline.cli.problems import Failed
from pipeline.cli.records import ERROR_HEADER, TopicReader, TopicRecord
from pipeline.runtime.kafka.dead_letters import HEADER_ATTEMPT, KEPT_BYTES_MAX, TOPIC
from pipeline.runtime.kafka.topics import UPSTREAM
from pipeline.runtime.settings import Settings
from pipeline.verify.numbers import number_in

BATCH = 1_000
DELIVERED_WITHIN_S = 60.0
REDRIVEN_BYTES_MAX = 2**28
"""Keys and values that one run holds in memory."""


def redriven(letter: TopicRecord) -> dict[str, Any]:
    """Return the record to produce for a dead letter, as keyword arguments of confluent-kafka's `produce`."""
    error = letter.error
    own = [
        (name, value)
        for name, value in letter.headers
        if not name.startswith(ERROR_HEADER) and name != REDRIVEN_HEADER
    ]
    own += [(HEADER_ATTEMPT, error.get("attempt", "1").encode()), (REDRIVEN_HEADER, letter.place.encode())]
    record: dict[str, Any] = {
        "topic": error["topic"],
        "key": letter.key,
        "value": letter.value,
        "headers": own,
        "timestamp": letter.timestamp_ms,
    }
    # Streams choose partitions themselves: for accounts of a branch, and for prices on every partition.
    partition = number_in(error.get("partition", "").encode())
    if (error["topic"] not in UPSTREAM or letter.key is None) and partition is not None:
        record["partition"] = partition
    return record


def send(settings: Settings, letters: list[Letter]) -> None:
    """Produce letters again, in their order. Raises Failed unless all are acknowledged; KafkaException."""
    records = {(record.partition, record.offset): record for record in _read(settings, letters)}
    refused: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refused.append(error.str())

    own = {
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "message.max.bytes": 2 * KEPT_BYTES_MAX,
    }
    producer = Producer({**settings.librdkafka(), **own, "log_level": 0})
    for start in range(0, len(letters), BATCH):
        for letter in letters[start : start + BATCH]:
            producer.produce(**redriven(records[letter.partition, letter.offset]), on_delivery=delivered)
        if producer.flush(DELIVERED_WITHIN_S):
            refused.append(f"no acknowledgement within {DELIVERED_WITHIN_S:.0f} s")
        if refused:
            raise Failed(
                f"Kafka refused {len(refused)} records ({refused[0]}): run it again, nothing is applied twice"
            )


def _read(settings: Settings, letters: list[Letter]) -> Iterator[TopicRecord]:
    """Yield the records of letters with their values."""
    wanted = {(letter.partition, letter.offset) for letter in letters}
    starts: dict[int, int] = {}
    for partition, offset in wanted:
        starts[partition] = min(offset, starts.get(partition, offset))
    with closing(TopicReader(settings, TOPIC, 0)) as reader:
        for record in reader.from_offsets(starts):
            if (record.partition, record.offset) in wanted:
                yield record
