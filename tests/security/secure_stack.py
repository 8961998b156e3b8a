"""A secure stack that `up` runs, and its clients of every role, for attacks."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from pipeline.runtime.local.credentials import ADMIN, Credentials
from pipeline.runtime.settings import Settings, load_settings
from pipeline.verify.decode import Decoder, registry_schemas
from tests.e2e.running_up import Place

WITHIN_S = 60.0
"""The bound of one request to Kafka, generous for a machine that is busy."""


class Secure:
    """A secure stack with demo traffic."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.secrets = Credentials(place.data_dir / "secrets")

    def settings(self, role: str) -> Settings:
        """Return the settings that the file of a role says."""
        return load_settings(data_dir=self.place.data_dir, **self.secrets.said(role))

    def kafka(self, role: str, **more: Any) -> dict[str, Any]:
        """Return a role's configuration of librdkafka."""
        return {**self.settings(role).librdkafka(), "log_level": 0, **more}

    def port(self, name: str) -> int:
        """Return the port of a part."""
        return int(self.place.ports[name])


def a_record(secure: Secure, topic: str, name: str | None = None) -> Any:
    """Return a record of a topic, of an event of that name, as the administrator reads it."""
    settings = secure.settings(ADMIN)
    decoder = Decoder(registry_schemas(settings.registry()))
    consumer = Consumer(secure.kafka(ADMIN, **{"group.id": "look", "enable.auto.commit": False}))
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
        while True:
            message = consumer.poll(WITHIN_S)
            assert message is not None and message.error() is None
            if name is None or getattr(decoder.decode(message.value()), "name", None) == name:
                return message
    finally:
        consumer.close()


def written(config: dict[str, Any], topic: str, like: Any) -> str:
    """Write a record once more; return what Kafka says, `ok` where it takes it."""
    said: list[str] = []
    producer = Producer({**config, "message.timeout.ms": 10_000})
    producer.produce(
        topic, like.value(), like.key(), like.partition(),
        on_delivery=lambda error, _: said.append("ok" if error is None else error.name()),
    )  # fmt: skip
    assert producer.flush(WITHIN_S) == 0
    return said[0]


def read(config: dict[str, Any], topic: str) -> str:
    """Read a record of a topic without a place in a group's offsets; return what Kafka says, or `ok`."""
    consumer = Consumer({**config, "enable.auto.commit": False})
    try:
        about = consumer.list_topics(topic, WITHIN_S).topics[topic]
        if about.error is not None:
            return str(about.error.name())
        consumer.assign([TopicPartition(topic, number, 0) for number in about.partitions])
        message = consumer.poll(WITHIN_S)
        assert message is not None
        error = message.error()
        return "ok" if error is None else str(error.name())
    except KafkaException as error:
        return str(error.args[0].name())
    finally:
        consumer.close()
