"""How far a worker is: which partitions it serves, what of their logs is committed, and how far it lags."""

from __future__ import annotations

import msgspec
from faust.types import TP

from pipeline.runtime.task import PartitionTask
from pipeline.web.host import WebHost


class Progress(msgspec.Struct):
    """One partition of one stream. Offsets are those of its source log, the next one to read."""

    stream: str
    log: str
    partition: int
    as_of_offset: int
    """The rows of the stream's table contain every effect of the log up to here, and of nothing above."""
    lag: int | None
    """Records in the log that are not committed yet; None while it is not known."""
    worker: str
    """Address of the views of the worker that answered for the partition."""


def recovered(app: WebHost) -> bool:
    """Whether the worker has an assignment, and every partition of it is restored and running."""
    if app.rebalancing or app.in_recovery or not app.tables_ready:
        return False
    return app.assigned <= app.tasks.running.keys()


def task_of(app: WebHost, table: str, partition: int) -> PartitionTask | None:
    """Return the task that owns a partition of a table on this worker, or None."""
    for tp, task in list(app.tasks.running.items()):
        if tp.partition == partition and any(machine.spec.table == table for machine in task.machines):
            return task
    return None


def progress(app: WebHost, task: PartitionTask, table: str | None = None) -> Progress:
    """Return how far a partition is, named after the stream of a table (by default the log's first)."""
    name = task.spec.name
    if table is not None:
        name = next(machine.spec.name for machine in task.machines if machine.spec.table == table)
    tp = TP(task.spec.source, task.partition)
    return Progress(
        stream=name,
        log=task.spec.source,
        partition=task.partition,
        as_of_offset=task.committed or 0,
        lag=_lag(app, tp, task),
        worker=app.address,
    )


def everything(app: WebHost) -> list[Progress]:
    """Return the progress of all partitions that this worker runs, in order."""
    return [progress(app, task) for _, task in sorted(app.tasks.running.items())]


def _lag(app: WebHost, tp: TP, task: PartitionTask) -> int | None:
    state = app.fetch_state(tp)
    if state is None:
        return None
    reached = task.committed
    if state.delivered is not None and state.delivered.end == reached:
        # All that was delivered is committed. Behind it may be control records, which are never delivered.
        reached = state.delivered.position
    return max(0, state.end - (reached or 0))
