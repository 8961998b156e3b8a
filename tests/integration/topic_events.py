"""All events of a topic, read to its end."""

from __future__ import annotations

import uuid
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder, registry_schemas
from tests.progress import SILENCE_S


def events_of(settings: Settings, topic: str) -> list[Any]:
    """Return the committed events of a topic, partition by partition, up to where each ends now."""
    decoder = Decoder(registry_schemas(settings.registry()))
    consumer = Consumer(
        {**settings.librdkafka(), "group.id": f"look-{uuid.uuid4().hex}", "enable.partition.eof": True}
    )
    found: list[Any] = []
    left = set(range(settings.partitions))
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in left])
        while left:
            message = consumer.poll(SILENCE_S)
            assert message is not None, f"nothing came of {topic} for {SILENCE_S:.0f} s, partitions {left}"
            if (error := message.error()) is None:
                found.append(decoder.decode(message.value()))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                left.discard(message.partition())
    finally:
        consumer.close()
    return found
