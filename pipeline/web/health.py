"""/live and /ready: whether to restart the worker, and whether to send it requests."""

from __future__ import annotations

import time

from aiohttp import web
from faust.types import TP

from pipeline.web.host import WebHost
from pipeline.web.problems import RETRY_AFTER_S
from pipeline.web.progress import progress_of_all, recovered, unread
from pipeline.web.render import json_response

STUCK_AFTER_S = 30.0
"""A partition with work and no commit for so long is stuck. One transaction may take 10 s at most."""


class CommitWatch:
    """Measures how long each partition has had work without a commit, from one call to the next.

    Committed offsets only grow: the same offset at two calls, with work at both, means no commit in between.
    """

    def __init__(self, app: WebHost) -> None:
        self._app = app
        self._waiting: dict[TP, tuple[int | None, float]] = {}

    def ages(self, now: float) -> dict[TP, float]:
        """Return the seconds that each partition with uncommitted work has waited; `now`: monotonic."""
        waiting = {}
        if recovered(self._app):
            for tp, task in list(self._app.tasks.running.items()):
                if task.position == task.committed and not unread(self._app, tp, task):
                    continue
                offset, since = self._waiting.get(tp, (None, now))
                waiting[tp] = (task.committed, since if offset == task.committed else now)
        self._waiting = waiting
        return {tp: now - since for tp, (_, since) in waiting.items()}


def live(watch: CommitWatch) -> web.Response:
    """Return 200 while the worker makes progress, 503 once a partition is stuck."""
    ages = watch.ages(time.monotonic())
    stuck = [
        {"log": tp.topic, "partition": tp.partition, "seconds_without_commit": round(age, 1)}
        for tp, age in sorted(ages.items())
        if age > STUCK_AFTER_S
    ]
    return json_response({"status": "stuck" if stuck else "live", "stuck": stuck}, 503 if stuck else 200)


def ready(app: WebHost) -> web.Response:
    """Return 200 once the worker has an assignment and all its partitions are restored, 503 before.

    503 with status `problems`, too, while something keeps it from its work.
    """
    done = recovered(app)
    if not done:
        status = "rebalancing" if app.rebalancing else "recovering"
    else:
        status = "problems" if app.problems.any else "ready"
    body = {
        "status": status,
        "problems": app.problems.now(),
        "rules": app.rules,
        "tenants": app.tenants,
        "recovery_seconds": round(app.tasks.ready_after_s, 3) if done else None,
        "partitions": progress_of_all(app),
    }
    if status == "ready":
        return json_response(body)
    return json_response(body, 503, {"Retry-After": str(RETRY_AFTER_S)})
