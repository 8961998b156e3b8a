"""A worker of ours that measures itself: the sum job or the ledger job, on the product's runtime.

`python -m tests.benchmarks.our_worker '{"job": "sum", "records": ..., "settings": {...}}'` prints one JSON
line once `records` records are applied and committed: seconds and CPU seconds since the first batch came in,
and for the sum job a digest of the table. The process ends without closing anything: all it did is committed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import uvloop

from pipeline.runtime import logs
from pipeline.runtime.app import App, create_app
from pipeline.runtime.codec import Codec, Frame
from pipeline.runtime.registry import Registry
from pipeline.runtime.settings import load_settings
from pipeline.runtime.task import StreamSpec
from tests.benchmarks import sum_rules
from tests.benchmarks.digest import digest_of
from tests.benchmarks.sum_columns import SumColumns
from tests.benchmarks.sum_rules import SumRules
from topologies import ledger
from topologies.worker import serve, tune_collector

POLL_S = 0.005


class TimedCodec(Codec):
    """Starts the clock when the first batch is about to be decoded, which is the first thing done to it."""

    started: float | None = None
    cpu_started = 0.0

    def frame(self, values: Sequence[bytes | None], *bounds: int, **named: int) -> Frame:
        if self.started is None:
            self.started, self.cpu_started = time.perf_counter(), time.process_time()
        return super().frame(values, *bounds, **named)


def create_worker(job: dict[str, Any]) -> App:
    """Return the app of the job's one stream."""
    settings = load_settings(**job["settings"])
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    app = create_app(settings, TimedCodec(registry))
    of_sums = StreamSpec("sum", sum_rules.SOURCE, SumRules(), sum_rules.TABLE, SumColumns())
    for spec in [of_sums] if job["job"] == "sum" else ledger.build(settings):
        app.add_stream(spec)
    return app


def measure(app: App, job: dict[str, Any]) -> None:
    """Add the task that reports and ends the process when everything is applied and committed."""

    @app.task
    async def report_when_done() -> None:
        # The runtime has no event for it, and needs none.
        while not _is_done(app, job["records"]):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        codec: Any = app.codec
        found = {
            "seconds": time.perf_counter() - codec.started,
            "cpu_s": time.process_time() - codec.cpu_started,
            "records": sum(task.applied_records for task in app.tasks.running.values()),
            "dead_letters": sum(task.dead_letters for task in app.tasks.running.values()),
        }
        if job["job"] == "sum":
            found["digest"] = digest_of(_sums(app))
        print(json.dumps(found), file=sys.__stdout__, flush=True)  # Faust's worker redirects sys.stdout
        os._exit(0)


def _is_done(app: App, records: int) -> bool:
    tasks = app.tasks.running.values()
    applied = sum(task.applied_records for task in tasks)
    return applied >= records and all(task.committed == task.position for task in tasks)


def _sums(app: App) -> Iterator[tuple[str, int]]:
    """Yield (account, sum) of the committed rows."""
    data: Any = app.tables[sum_rules.TABLE].data
    for partition in range(app.partitions):
        for key, row in data.partition(partition).committed_scan(sum_rules.FAMILY):
            yield key.decode().split("\0")[2], sum_rules.read_sum(row)


def main() -> int:
    """Run the worker of the job in the first argument, set up as the product's (topologies.worker)."""
    job = json.loads(sys.argv[1])
    logs.set_up("WARNING")
    tune_collector()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_worker(job)
    measure(app, job)
    app.finalize()
    return serve(app, loop)


if __name__ == "__main__":
    os._exit(main())
