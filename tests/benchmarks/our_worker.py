"""A worker of ours that measures itself: a stream of the product, or the sum job, on the product's runtime.

`python -m tests.benchmarks.our_worker '{"job": "ledger", "records": ..., "worker": 0, "settings": {...}}'`
prints JSON lines: which partitions it holds; how long a restore took; and, whenever all it has applied is
committed, how many records that is, and the seconds and CPU seconds since the first batch came in. The line
with `done` comes once it has applied `records` records (null: never), for the sum job with a digest of the
table; then the process ends without closing anything, as all it did is committed. The sum job's topic is in
`source`. With `quiet_s`, the stream may say more to its own log: it is done when it has applied nothing for
so many seconds, which count for nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition

from pipeline.runtime import logs
from pipeline.runtime.app import App, create_app
from pipeline.runtime.avro.codec import Codec, Frame
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka import changelog
from pipeline.runtime.settings import Settings, load_settings
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.runtime.streams import StreamSpec
from pipeline.runtime.task import PartitionTask
from tests.benchmarks import sum_rules
from tests.benchmarks.digest import digest_of
from tests.benchmarks.sum_columns import SumColumns
from tests.benchmarks.sum_rules import SumRules
from topologies.app import STREAMS as EVERY_STREAM
from topologies.configuration import Configuration
from topologies.worker import serve, tune

POLL_S = 0.005


BY_ROWS = "_by_rows"
"""What the name of a job ends with whose stream has no columns."""
STREAMS = {stream.name: stream for stream in EVERY_STREAM}


class TimedCodec(Codec):
    """Starts the clock when the first batch is about to be decoded, which is the first thing done to it."""

    started: float | None = None
    cpu_started = 0.0

    def frame(self, values: Sequence[bytes | None], *bounds: int, **named: int) -> Frame:
        if self.started is None:
            self.started, self.cpu_started = time.monotonic(), time.process_time()
        return super().frame(values, *bounds, **named)


def create_worker(job: dict[str, Any]) -> App:
    """Return the app of the job's one stream."""
    settings = load_settings(**job["settings"])
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    app = create_app(settings, TimedCodec(registry), worker=job["worker"])
    for spec in _specs(job, settings):
        app.add_stream(spec)
    return app


def _specs(job: dict[str, Any], settings: Settings) -> list[StreamSpec]:
    if job["job"] == "sum":
        return [StreamSpec("sum", job["source"], SumRules(), sum_rules.TABLE, SumColumns())]
    name: str = job["job"]
    spec = STREAMS[name.removesuffix(BY_ROWS)].spec(Configuration(settings))
    return [spec._replace(batch=None) if name.endswith(BY_ROWS) else spec]


def say(found: Mapping[str, Any]) -> None:
    """Print a line."""
    print(json.dumps(found), file=sys.__stdout__, flush=True)  # Faust's worker redirects sys.stdout


def time_restores() -> None:
    """Have every restore of tables from their changelogs say how many records it read, and how long."""
    restore = changelog.restore

    async def timed(connection: Mapping[str, Any], stores: Mapping[TopicPartition, PartitionStore]) -> int:
        started, cpu_started = time.monotonic(), time.process_time()
        count = await restore(connection, stores)
        seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu_started
        say({"restored": count, "seconds": seconds, "cpu_s": cpu_s})
        return count

    changelog.restore = timed


def measure(app: App, job: dict[str, Any]) -> None:
    """Add the task that reports, and ends the process when everything is applied and committed."""

    @app.task
    async def report() -> None:
        said: Any = None
        last: Any = None
        last_at = 0.0
        holds: list[int] = []
        found: dict[str, Any] = {}
        while True:
            # The runtime has no event for it, and needs none.
            await asyncio.sleep(POLL_S)
            tasks = list(app.tasks.running.values())
            if holds != sorted(task.partition for task in tasks):
                holds = sorted(task.partition for task in tasks)
                say({"holds": holds})
            applied = applied_and_committed(tasks)
            if not applied or applied == said:
                continue
            if applied != last:
                last, last_at, found = applied, time.monotonic(), _progress(app, tasks)
            if time.monotonic() - last_at < job.get("quiet_s", 0.0):
                continue
            said = applied
            found["done"] = job["records"] is not None and applied >= job["records"]
            if not found["done"]:
                say(found)
                continue
            if job["job"] == "sum":
                found["digest"] = digest_of(_sums(app))
            say(found)
            os._exit(0)


def applied_and_committed(tasks: Sequence[PartitionTask]) -> int | None:
    """Return how many records tasks have applied, if all of it is committed; None while some is not."""
    if not all(task.at_rest for task in tasks):
        return None
    return sum(task.applied_records for task in tasks)


def _progress(app: App, tasks: Sequence[PartitionTask]) -> dict[str, Any]:
    codec: Any = app.codec
    return {
        "started_at": codec.started,
        "ended_at": time.monotonic(),
        "seconds": time.monotonic() - codec.started,
        "cpu_s": time.process_time() - codec.cpu_started,
        "records": sum(task.applied_records for task in tasks),
        "dead_letters": sum(task.dead_letters for task in tasks),
    }


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
    tune()
    time_restores()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_worker(job)
    measure(app, job)
    app.finalize()
    return serve(app, loop)


if __name__ == "__main__":
    os._exit(main())
