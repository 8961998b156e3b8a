"""The limit of a worker of ours: what its transport fetches is decoded with proof, and nothing else is done.

`python -m tests.benchmarks.ceiling_worker '{"source": ..., "records": ..., "settings": {...}}'` prints one
JSON line after `records` records. No rules, no rows, no outputs, no transactions.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from pipeline.runtime import logs
from pipeline.runtime.app import App, create_app
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.transport import BATCH_CODEC
from pipeline.runtime.settings import load_settings
from pipeline.runtime.slices import SLICE_RECORDS_MAX
from topologies.worker import serve, tune


def create_worker(job: dict[str, Any]) -> App:
    """Return the app whose one agent decodes."""
    settings = load_settings(**job["settings"])
    registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
    registry.connect()
    codec = Codec(registry)
    app = create_app(settings, codec)
    kinds = {"value_serializer": BATCH_CODEC, "key_serializer": "raw"}
    topic = app.topic(job["source"], partitions=app.partitions, acks=False, **kinds)

    @app.agent(topic, name="ceiling")
    async def decode(stream: Any) -> None:
        done = dead = 0
        started = cpu_started = 0.0
        async for event in stream.noack().events():
            records = event.message.value.records
            if not done:
                started, cpu_started = time.monotonic(), time.process_time()
            for start in range(0, len(records), SLICE_RECORDS_MAX):
                frame = codec.frame([record.value for record in records[start : start + SLICE_RECORDS_MAX]])
                dead += len(frame.dead) + len(frame.singles)
                await asyncio.sleep(0)
            done += len(records)
            if done >= job["records"]:
                seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu_started
                found = {
                    "done": True,
                    "seconds": seconds,
                    "cpu_s": cpu_s,
                    "records": done,
                    "not_columns": dead,
                }
                print(json.dumps(found), file=sys.__stdout__, flush=True)
                os._exit(0)

    return app


def main() -> int:
    """Run the worker of the job in the first argument, set up as the product's (topologies.worker)."""
    logs.set_up("WARNING")
    tune()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = create_worker(json.loads(sys.argv[1]))
    app.finalize()
    return serve(app, loop)


if __name__ == "__main__":
    os._exit(main())
