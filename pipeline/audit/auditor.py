"""The thread of a worker that audits: one step of each audit, and a rest that is much longer.

It reads Kafka by a client of its own, looks at tables as the views do, and does nothing that a stream waits
for. An error of an audit is logged and the audit goes on later: only the streams may end a worker.
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
from pipeline.audit.findings import Findings, KafkaTarget
from pipeline.audit.log import ClusterLog, LogReadError
from pipeline.audit.table import Place, TableAudit
from pipeline.runtime.assignments import Tasks
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.settings import Settings
from pipeline.runtime.store.partition_store import PartitionStore

LOG = logging.getLogger(__name__)
EVERY_S = 2.0
CLEARING_PARTITION = 0
"""Whoever has this partition of the journal audits clearing for all branches."""


class Audit(Protocol):
    """Something that is checked a step at a time."""

    def step(self) -> object:
        """Do a little; what is found is said. Returns something true where there was a comparison."""


def once(audits: Mapping[str, Audit], compared: dict[str, int]) -> None:
    """Do one step of each audit; count those that had something to compare."""
    for name, audit in audits.items():
        try:
            compared[name] = compared.get(name, 0) + bool(audit.step())
        except (LogReadError, KafkaException) as error:
            LOG.warning("the audit of %s waits: %s", name, error)
        except Exception:
            LOG.exception("the audit of %s failed, and is tried again", name)


class Audited(Protocol):
    """The worker that is audited, as `runtime.app.App` is one."""

    tasks: Tasks
    audit_alerts: int
    """How many alerts were raised."""
    audited: dict[str, int]
    """How often each audit had something to compare, by name."""

    def task(self, fun: Callable[[], Awaitable[None]]) -> Any:
        """Have a function run once the worker has started."""


class _Clearing:
    """The audit of clearing, while this worker has the partition that it goes with."""

    def __init__(self, tasks: Tasks, audit: ClearingAudit) -> None:
        self._tasks = tasks
        self._audit = audit

    def step(self) -> bool:
        task = self._tasks.running.get(TP(JOURNAL, CLEARING_PARTITION))
        if task is not None and "invariants" in task.streams:
            return self._audit.step()
        self._audit.forget()
        return False


def stores_of(tasks: Tasks) -> Mapping[Place, PartitionStore]:
    """Return the tables that the streams of this worker write, by changelog and partition."""
    found = {}
    for task in tasks.running.values():
        found.update(task.stores)
    return found


def mount(app: Audited, settings: Settings, codec: Codec) -> None:
    """Have an app audited while it runs; `codec` is the audit's own."""

    @app.task
    async def audit() -> None:
        threading.Thread(target=_run, args=(app, settings, codec), name="audit", daemon=True).start()


def _run(app: Audited, settings: Settings, codec: Codec) -> None:
    """Audit until the process ends."""

    def count() -> None:
        app.audit_alerts += 1

    log = ClusterLog(settings.librdkafka(), settings.app_id, settings.partitions)
    findings = Findings(log, codec, KafkaTarget(settings), count)
    audits: dict[str, Audit] = {
        "clearing": _Clearing(app.tasks, ClearingAudit(log, codec, findings.say)),
        "applied": AppliedAudit(log, findings.say, lambda: app.tasks.running),
        "table": TableAudit(log, findings.say, lambda: stores_of(app.tasks)),
    }
    rest = threading.Event()
    while not rest.wait(EVERY_S):
        once(audits, app.audited)
