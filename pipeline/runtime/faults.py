"""Faults around the streams that a person has to look at: alerts on `operational-alerts`, each once.

    faults.report(Fault(...))      from any thread; never waits, never raises
    faults.report_last(Fault(...)) before the process ends; waits a bounded time until it is written

The codes stand in `schemas.fault_codes`. Two faults are the same if code, subject and found are.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import KafkaException

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import derived_id
from pipeline.runtime.alerts import Alerts, KafkaTarget
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import ClusterLog, LogReadError
from pipeline.runtime.kafka.topics import OPERATIONAL_ALERTS
from pipeline.runtime.settings import Settings

LOG = logging.getLogger(__name__)
WAITING_MAX = 1_000
"""Faults that are found while Kafka takes none; more are only logged."""
FAULTS_MAX = 1_000
"""Most alerts that a process writes."""
TRIES_MAX = 60
"""Times AGAIN_AFTER_S, and what each try takes: longer than Kafka needs to elect its leaders anew."""
AGAIN_AFTER_S = 5.0
SOON_S = 0.25
"""After the first try, then twice as long each time: the last alert has several tries in LAST_WITHIN_S."""
LAST_WITHIN_S = 5.0


class Fault(NamedTuple):
    """Something around the streams that is wrong."""

    code: str
    """One of `schemas.fault_codes`."""
    subject: str
    """What is wrong, such as `payments[3]` or `schema 17`."""
    found: str
    """In words, on one line."""
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None

    def alert(self, now: int, worker: str) -> ev.FaultFound:
        """Return the alert as an event; `now` is microseconds UTC."""
        event_id = derived_id(f"{self.code}\0{self.subject}", self.found)
        return ev.FaultFound(
            event_id, "", now, event_id, None, self.code, self.subject, self.topic, self.partition,
            self.offset, self.found, worker,
        )  # fmt: skip


class WorkerFault(RuntimeError):
    """A fault with which a worker must not go on: it is reported, and the worker ends with its one line."""

    def __init__(self, fault: Fault, text: str | None = None) -> None:
        """`text`: the line, where it says more than the alert does."""
        super().__init__(text or f"{fault.subject}: {fault.found}")
        self.fault = fault


Then = Callable[[bool], object]
"""Is told whether an alert is written; false: it is given up."""


class Faults:
    """Takes the faults of a process; a thread writes them."""

    def __init__(self, make: Callable[[], Alerts], worker: str, partitions: int) -> None:
        """`make`: called once, in the thread that writes. `worker`: its identity in the group."""
        self._make = make
        self._worker = worker
        self._partitions = partitions
        self._waiting: queue.Queue[tuple[Fault, Then]] = queue.Queue(WAITING_MAX)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def report(self, fault: Fault, then: Then = lambda written: None) -> None:
        """Have a fault written; `then` is called with whether it is, or is given up. From any thread."""
        LOG.error("%s: %s: %s", fault.code, fault.subject, fault.found)
        try:
            self._waiting.put_nowait((fault, then))
        except queue.Full:
            then(False)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
                self._thread.start()

    def report_last(self, fault: Fault, within_s: float = LAST_WITHIN_S) -> None:
        """Have a fault written before the process ends; wait until it is, for a bounded time."""
        done = threading.Event()
        self.report(fault, lambda written: done.set())
        done.wait(within_s)

    def _run(self) -> None:
        alerts: Alerts | None = None
        while True:
            fault, then = self._waiting.get()
            written = False
            for number in range(TRIES_MAX):
                try:
                    if alerts is None:
                        alerts = self._make()
                    self._write(alerts, fault)
                    written = True
                    break
                except (LogReadError, KafkaException, ConnectionError) as error:
                    LOG.warning("the alert %s waits: %s", fault.code, error)
                    time.sleep(min(AGAIN_AFTER_S, SOON_S * 2**number))
                except Exception:
                    LOG.exception("the alert %s cannot be written", fault.code)
                    break
            then(written)

    def _write(self, alerts: Alerts, fault: Fault) -> None:
        event = fault.alert(time.time_ns() // 1000, self._worker)
        partition = (fault.partition or 0) % self._partitions
        alerts.write(event, partition, f"/{fault.subject}")


def faults_of(settings: Settings, codec: Codec, worker: str) -> Faults:
    """Return where a worker reports faults."""

    def make() -> Alerts:
        log = ClusterLog(settings.librdkafka(), settings.app_id, settings.partitions)
        target = KafkaTarget(settings, OPERATIONAL_ALERTS)
        return Alerts(OPERATIONAL_ALERTS, log, codec.another(), target, FAULTS_MAX)

    return Faults(make, worker, settings.partitions)
