"""Findings of the audit, and the topic that they go to: each finding once, however often it is found.

A process writes at most FINDINGS_MAX alerts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import derived_id
from pipeline.runtime.alerts import Alerts, Target
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import Log
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS

LOG = logging.getLogger(__name__)
FINDINGS_MAX = 100


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


class Findings:
    """Writes the findings of a process as alerts, each once."""

    def __init__(
        self, log: Log, codec: Codec, target: Target, on_reported: Callable[[], None] = lambda: None
    ) -> None:
        self._alerts = Alerts(INVARIANT_ALERTS, log, codec, target, FINDINGS_MAX)
        self._on_reported = on_reported

    @property
    def reported(self) -> int:
        """How many alerts were written."""
        return self._alerts.written

    def report(self, finding: Finding) -> None:
        """Write an alert, unless the topic has it or FINDINGS_MAX is reached.

        Raises LogReadError and KafkaException.
        """
        alert = finding.alert(time.time_ns() // 1000)
        key = f"{alert.tenant_id}/{alert.account_id or finding.topic}"
        if self._alerts.write(alert, alert.partition, key):
            self._on_reported()
            LOG.error("invariant %s is broken: expected %s, found %s", *finding[:1], *finding[4:6])
