"""Findings of the audit, and the topic that they go to: each finding once, however often it is found.

The id of an alert is derived from the finding, and ids that the topic has already are not written again, so a
restarted worker repeats no alert. A process writes at most FINDINGS_MAX alerts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaException, Producer

from pipeline.audit.log import Log
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import derived_id
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
FINDINGS_MAX = 100
FLUSH_WITHIN_S = 10.0


class Finding(NamedTuple):
    """An invariant that does not hold."""

    invariant: str
    topic: str
    partition: int
    offset: int
    expected: str
    found: str
    tenant_id: str = ""
    account_id: str | None = None
    currency: str | None = None
    about: str = ""
    """Tells it from other findings of the same topic and partition; part of the alert's id."""

    def alert(self, now: int) -> ev.InvariantBroken:
        """Return the alert as an event; `now` is microseconds UTC."""
        cause = "\0".join((self.invariant, self.topic, str(self.partition), self.tenant_id, self.about))
        event_id = derived_id(cause, f"{self.expected}\0{self.found}")
        return ev.InvariantBroken(
            event_id, self.tenant_id, now, event_id, None, self.invariant, self.account_id, self.currency,
            None, self.expected, self.found, self.topic, self.partition, self.offset,
        )  # fmt: skip


Report = Callable[[Finding], None]


class Target(Protocol):
    """Where alerts are written."""

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record; return once Kafka has acknowledged it. Raises KafkaException."""


class KafkaTarget:
    """The topic `invariant-alerts` of a cluster."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({**settings.librdkafka(), "enable.idempotence": True, "log_level": 0})

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record. Raises KafkaException where Kafka did not acknowledge it."""
        failures: list[object] = []
        self._producer.produce(
            INVARIANT_ALERTS,
            value,
            key,
            partition,
            on_delivery=lambda error, _: failures.append(error) if error is not None else None,
        )
        if self._producer.flush(FLUSH_WITHIN_S) or failures:
            raise KafkaException(failures or "an alert could not be written")


class Findings:
    """Writes the findings of a process as alerts, each once."""

    def __init__(
        self, log: Log, codec: Codec, target: Target, on_reported: Callable[[], None] = lambda: None
    ) -> None:
        self._log = log
        self._on_reported = on_reported
        self._codec = codec
        self._target = target
        self._known: set[str] | None = None
        """Ids of the alerts in the topic, read before the first alert is written; None before that."""
        self.reported = 0

    def report(self, finding: Finding) -> None:
        """Write an alert, unless the topic has it or FINDINGS_MAX is reached.

        Raises LogReadError and KafkaException.
        """
        if self._known is None:
            self._known = self._read()
        alert = finding.alert(time.time_ns() // 1000)
        if alert.event_id in self._known or self.reported >= FINDINGS_MAX:
            return
        key = f"{alert.tenant_id}/{alert.account_id or finding.topic}"
        self._target.write(alert.partition, key.encode(), self._codec.encode([alert])[0])
        self._known.add(alert.event_id)
        self.reported += 1
        self._on_reported()
        LOG.error("invariant %s is broken: expected %s, found %s", *finding[:1], *finding[4:6])

    def _read(self) -> set[str]:
        ids = set()
        for partition, end in self._log.ends(INVARIANT_ALERTS, committed=True).items():
            values = [record.value for record in self._log.read(INVARIANT_ALERTS, partition, 0, end)]
            ids |= {event.event_id for event in self._codec.decode(values).events if event is not None}
        return ids
