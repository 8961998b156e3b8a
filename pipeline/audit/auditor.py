"""The audit thread of a worker: one step of each audit, then a pause that is much longer.

It reads Kafka with a client of its own, reads tables as the views do, and holds nothing that a stream waits
for. An error of an audit is logged and the audit is tried again: only the streams may end a worker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaException
from faust.types import TP

from pipeline.audit.applied import AppliedAudit
from pipeline.audit.clearing import JOURNAL, ClearingAudit
from pipeline.audit.findings import Findings
from pipeline.audit.table import Place, TableAudit
from pipeline.runtime.alerts import KafkaTarget
from pipeline.runtime.assignments import Tasks
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.cluster_log import ClusterLog, LogReadError
from pipeline.runtime.kafka.topics import INVARIANT_ALERTS
from pipeline.runtime.settings import Settings
from pipeline.runtime.store.partition_store import PartitionStore

LOG = logging.getLogger(__name__)
EVERY_S = 2.0
CLEARING_PARTITION = 0
"""The worker that owns this partition of the journal audits clearing for all branches."""


class Audit(Protocol):
    """A check that is done in small steps."""

    def step(self) -> object:
        """Do one step and report findings. Returns a true value if something was compared.

        Raises LogReadError or KafkaException where Kafka cannot be read now.
        """


def once(audits: Mapping[str, Audit], compared: dict[str, int]) -> None:
    """Do one step of each audit; count in `compared`, by name, those that compared something.

    Errors are logged, not raised.
    """
    for name, audit in audits.items():
        try:
            compared[name] = compared.get(name, 0) + bool(audit.step())
        except (LogReadError, KafkaException) as error:
            LOG.warning("the audit of %s waits: %s", name, error)
        except Exception:
            LOG.exception("the audit of %s failed, and is tried again", name)


class Audited(Protocol):
    """The worker that is audited. `runtime.app.App` is one."""

    tasks: Tasks
    audit_alerts: int
    """How many alerts were raised."""
    audited: dict[str, int]
    """How often each audit compared something, by name."""

    def task(self, fun: Callable[[], Awaitable[None]]) -> Any:
        """Run a function when the worker has started."""


class _Clearing:
    """Runs the audit of clearing only while this worker owns CLEARING_PARTITION of the journal."""

    def __init__(self, tasks: Tasks, audit: ClearingAudit) -> None:
        self._tasks = tasks
        self._audit = audit

    def step(self) -> bool:
        """Do a step if the partition is here, else start over later; return whether totals were compared."""
        task = self._tasks.running.get(TP(JOURNAL, CLEARING_PARTITION))
        if task is not None and "invariants" in task.streams:
            return self._audit.step()
        self._audit.forget()
        return False


def stores_of(tasks: Tasks) -> Mapping[Place, PartitionStore]:
    """Return the databases of the streams of this worker, by changelog and partition."""
    found = {}
    for task in tasks.running.values():
        found.update(task.stores)
    return found


def mount(app: Audited, settings: Settings, codec: Codec) -> None:
    """Start the audit thread with the app. `codec` must not be shared with another thread."""

    @app.task
    async def audit() -> None:
        threading.Thread(target=_run, args=(app, settings, codec), name="audit", daemon=True).start()


def _run(app: Audited, settings: Settings, codec: Codec) -> None:
    """Audit until the process ends. Runs in the audit thread."""

    def count() -> None:
        app.audit_alerts += 1

    log = ClusterLog(settings.librdkafka(), settings.app_id, settings.partitions)
    findings = Findings(log, codec, KafkaTarget(settings, INVARIANT_ALERTS), count)
    audits: dict[str, Audit] = {
        "clearing": _Clearing(app.tasks, ClearingAudit(log, codec, findings.report)),
        "applied": AppliedAudit(log, findings.report, lambda: app.tasks.running),
        "table": TableAudit(log, findings.report, lambda: stores_of(app.tasks)),
    }
    rest = threading.Event()
    while not rest.wait(EVERY_S):
        once(audits, app.audited)
