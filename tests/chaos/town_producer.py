"""Puts the fraud town on a stack, beside a load."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from pipeline.loadgen.encoder import registry_encoder
from pipeline.loadgen.plan import LoadPlan, Produce
from tests.chaos.fraud_town import FraudTown
from tests.integration.cluster import Cluster

FLUSH_WITHIN_S = 150.0


class Town:
    """Produces what belongs to the fraud town, beside a load.

    Operators write there, too, so it is done as the administrator.
    """

    def __init__(self, cluster: Cluster, plan: LoadPlan) -> None:
        settings = cluster.settings
        self._town = FraudTown(plan, registry_encoder(settings.registry()))
        client = {**settings.librdkafka(), "enable.idempotence": True, "linger.ms": 5, "log_level": "0"}
        self._producer = Producer({**client, "partitioner": "murmur2_random"})
        self.records = 0
        self.failed = 0

    def open(self) -> None:
        """Produce accounts and rates."""
        self._produce(self._town.opening())

    def follow(self, payments: int) -> None:
        """Produce what belongs to so many payments of the load."""
        self._produce(self._town.follow(payments))

    def flush(self) -> None:
        """Wait until Kafka has it all."""
        self.failed += self._producer.flush(FLUSH_WITHIN_S)

    def _produce(self, records: Iterable[Produce]) -> None:
        for one in records:
            self._producer.produce(one.topic, one.value, one.key, on_delivery=self._delivered)
            self._producer.poll(0)
            self.records += 1

    def _delivered(self, error: object, message: object) -> None:
        self.failed += error is not None
