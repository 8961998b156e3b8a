"""`ledgerflow switch`.

New rules are installed while the workers run; running workers keep the rules that they started with. The
switch ends one worker after another in good order, and `up` starts each again with the installed rules:

    rules A up to offset X of each log (committed) -> rules B from X on

Kafka keeps the input meanwhile, so no upstream stops, and each log continues exactly where its last
transaction ended. Earlier decisions stay as they are. `ledgerflow rebuild --from commands` shows which of
them the new rules would decide differently; new postings correct them, and old postings are never changed.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from pipeline.cli import endpoints
from pipeline.cli.endpoints import WorkerEndpoint
from pipeline.cli.options import Data, Json
from pipeline.cli.problems import Failed
from pipeline.cli.reach import NOTHING, START, settings_for
from pipeline.cli.screen import screen
from pipeline.cli.worker_answers import body_of
from pipeline.runtime.rules import rules_version

READY_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.2
_ANSWER_WITHIN_S = 2.0


class Switched(NamedTuple):
    """A worker that was started again."""

    url: str
    rules_before: str
    rules: str
    away_s: float
    """Seconds from its end until it was ready again."""


def switch(
    again: Annotated[
        bool, typer.Option("--again", help="Also restart workers that run the installed rules already.")
    ] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Restart the workers of a running `ledgerflow up`, one by one, with the rules installed now.

    Upstream systems need not stop. If a worker does not come back, the command ends, and the other workers
    keep their rules. On a cluster restart the workers one at a time instead; each continues where it was.
    """
    settings = settings_for(data, needs=NOTHING)
    here, switched = rules_version(), []
    with screen(stderr=True).status("asking the workers") as status:
        for number, worker in enumerate(_workers(settings.data_dir)):
            before = _wait(partial(_ready, worker.url), f"worker {number} is not ready")
            if before["rules"] == here and not again:
                continue
            status.update(f"worker {number}: from rules {before['rules']} to {here}")
            started = time.monotonic()
            _end(worker.pid)
            after = _wait(
                partial(_come_back, settings.data_dir, number, worker),
                f"worker {number} did not come back; the workers after it keep rules {before['rules']}",
            )
            away_s = round(time.monotonic() - started, 1)
            switched.append(Switched(worker.url, before["rules"], after["rules"], away_s))
    if as_json:
        typer.echo(json.dumps({"rules": here, "switched": [one._asdict() for one in switched]}))
        return
    for one in switched:
        typer.echo(f"{one.url}: from rules {one.rules_before} to {one.rules} in {one.away_s} s")
    if not switched:
        typer.echo(f"every worker runs rules {here} already")


def _workers(data_dir: Path) -> tuple[WorkerEndpoint, ...]:
    running = endpoints.read(data_dir)
    if running is None:
        raise Failed(f"no `up` runs on {data_dir}: {START}, or name its data directory (--data)")
    return running.workers


def _end(pid: int) -> None:
    """Ask a worker to end in good order."""
    os.kill(pid, signal.SIGTERM)


def _ready(url: str) -> dict[str, Any] | None:
    """Return the answer of `/ready` once a worker is ready, else None."""
    body = body_of(f"{url}/ready", _ANSWER_WITHIN_S)
    return body if body is not None and body.get("status") == "ready" else None


def _come_back(data_dir: Path, number: int, earlier: WorkerEndpoint) -> dict[str, Any] | None:
    """Return the answer of `/ready` once the worker has a new process and is ready, else None."""
    worker = _workers(data_dir)[number]
    return None if worker.pid == earlier.pid else _ready(worker.url)


def _wait(look: Callable[[], dict[str, Any] | None], otherwise: str) -> dict[str, Any]:
    deadline = time.monotonic() + READY_WITHIN_S
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise Failed(f"{otherwise} (within {READY_WITHIN_S:.0f} s)")
        time.sleep(_LOOK_EVERY_S)
    return found
