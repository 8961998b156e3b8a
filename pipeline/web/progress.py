"""The progress of a worker: its partitions, their committed offsets and their lag."""

from __future__ import annotations

import msgspec
from faust.types import TP

from pipeline.runtime.task import PartitionTask
from pipeline.web.host import WebHost


class Progress(msgspec.Struct):
    """The progress of one partition of one stream. Offsets are of its source log: the next one to read."""

    stream: str
    log: str
    partition: int
    as_of_offset: int
    """The rows of the stream's table contain the effects of all records below this offset, and no others."""
    lag: int | None
    """Records in the log that are not committed yet, those of open transactions included; None while it is
    not known."""
    worker: str
    """Address of the views of the worker that answered for the partition."""


def recovered(app: WebHost) -> bool:
    """Return whether the worker has an assignment and all its partitions are restored and running."""
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
    """Return the progress of a partition, for the stream of a table (default: the log's first stream)."""
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


def progress_of_all(app: WebHost) -> list[Progress]:
    """Return the progress of all partitions that this worker runs, in order."""
    return [progress(app, task) for _, task in sorted(app.tasks.running.items())]


def unread(app: WebHost, tp: TP, task: PartitionTask) -> int:
    """Return how many records a task could have read and has not committed: what waits for somebody's open
    transaction is not among them. 0 while it is not known."""
    state = app.fetch_state(tp)
    return 0 if state is None else max(0, state.end - state.reached(task.committed))


def _lag(app: WebHost, tp: TP, task: PartitionTask) -> int | None:
    state = app.fetch_state(tp)
    return None if state is None else max(0, state.log_end - state.reached(task.committed))
