"""What an audit has found, and the topic that it goes to: each finding once, however often it is found.

The id of an alert follows from what was found, and the topic is asked whether it has that id already: a
worker that starts again says nothing twice. A process says FINDINGS_MAX findings at most.
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
    """What else tells it from other findings of its place."""

    def alert(self, now: int) -> ev.InvariantBroken:
        """Return the event; `now` is microseconds UTC."""
        cause = "\0".join((self.invariant, self.topic, str(self.partition), self.tenant_id, self.about))
        event_id = derived_id(cause, f"{self.expected}\0{self.found}")
        return ev.InvariantBroken(
            event_id, self.tenant_id, now, event_id, None, self.invariant, self.account_id, self.currency,
            None, self.expected, self.found, self.topic, self.partition, self.offset,
        )  # fmt: skip


Say = Callable[[Finding], None]


class Target(Protocol):
    """Where alerts are written."""

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record; return once it is there."""


class KafkaTarget:
    """The topic of a cluster."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({**settings.librdkafka(), "enable.idempotence": True, "log_level": 0})

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        """Write one record. Raises KafkaException where it did not get there."""
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
    """The findings of a process."""

    def __init__(
        self, log: Log, codec: Codec, target: Target, on_said: Callable[[], None] = lambda: None
    ) -> None:
        self._log = log
        self._on_said = on_said
        self._codec = codec
        self._target = target
        self._known: set[str] | None = None
        """Ids of what the topic has; it is read when there is something to say."""
        self.said = 0

    def say(self, finding: Finding) -> None:
        """Write an alert, unless it is known already or there were too many."""
        if self._known is None:
            self._known = self._read()
        alert = finding.alert(time.time_ns() // 1000)
        if alert.event_id in self._known or self.said >= FINDINGS_MAX:
            return
        key = f"{alert.tenant_id}/{alert.account_id or finding.topic}"
        self._target.write(alert.partition, key.encode(), self._codec.encode([alert])[0])
        self._known.add(alert.event_id)
        self.said += 1
        self._on_said()
        LOG.error("invariant %s is broken: expected %s, found %s", *finding[:1], *finding[4:6])

    def _read(self) -> set[str]:
        ids = set()
        for partition, end in self._log.ends(INVARIANT_ALERTS, committed=True).items():
            values = [record.value for record in self._log.read(INVARIANT_ALERTS, partition, 0, end)]
            ids |= {event.event_id for event in self._codec.decode(values).events if event is not None}
        return ids
