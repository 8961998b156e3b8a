"""How far a worker is: which partitions it serves, what of their logs is committed, and how far it lags."""

from __future__ import annotations

from typing import Any

import msgspec
from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.app import App
from pipeline.runtime.task import PartitionTask


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


def recovered(app: App) -> bool:
    """Whether the worker has an assignment, and every partition of it is restored and running."""
    if app.rebalancing or app.in_recovery or not app.tables.actives_ready:
        return False
    logs = {topic for agent in app.agents.values() for topic in agent.get_topic_names()}
    owned = {tp for tp in app.assignor.assigned_actives() if tp.topic in logs}
    return owned <= app.tasks.running.keys()


def task_of(app: App, table: str, partition: int) -> PartitionTask | None:
    """Return the task that owns a partition of a table on this worker, or None."""
    for tp, task in list(app.tasks.running.items()):
        if tp.partition == partition and task.spec.table == table:
            return task
    return None


def progress(app: App, task: PartitionTask) -> Progress:
    """Return how far a partition is."""
    tp = TP(task.spec.source, task.partition)
    return Progress(
        stream=task.spec.name,
        log=task.spec.source,
        partition=task.partition,
        as_of_offset=task.committed or 0,
        lag=_lag(app, tp, task),
        worker=str(app.conf.canonical_url).rstrip("/"),
    )


def everything(app: App) -> list[Progress]:
    """Return the progress of all partitions that this worker runs, in order."""
    return [progress(app, task) for _, task in sorted(app.tasks.running.items())]


def _fetching(app: App) -> Any:
    """Return Faust's consumer thread, None before the app runs."""
    return getattr(app.consumer, "_thread", None)


def _fetch_state(app: App, tp: TP) -> Any:
    """Return aiokafka's state of a partition (in Faust's consumer thread), None where it is not fetched."""
    consumer = getattr(_fetching(app), "_consumer", None)
    subscription = None if consumer is None else consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    partition = TopicPartition(*tp)
    return assignment.state_value(partition) if assignment and partition in assignment.tps else None


def _lag(app: App, tp: TP, task: PartitionTask) -> int | None:
    state = _fetch_state(app, tp)
    if state is None or not state.has_valid_position or state.lso is None or state.lso < 0:
        return None
    reached = task.committed
    delivered = getattr(_fetching(app), "delivered", {}).get(tp)
    if delivered is not None and delivered.end == reached:
        # All that was delivered is committed. Behind it may be control records, which are never delivered.
        reached = delivered.position
    return int(max(0, state.lso - (reached or 0)))
