"""The peer: the sum job as one writes it with stock Faust, tuned. Run as a process of its own.

`python -m tests.benchmarks.stock_faust '{"app_id": ..., "count": ..., ...}'` prints one JSON line after
`count` events: seconds, CPU seconds, how far each partition was read, a digest of the table. README.md says
what is tuned, and why.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import sys
import time
from collections import Counter
from typing import Any

import fastavro
import faust
import uvloop
from faust.serializers import codecs

import schemas
from tests.benchmarks.digest import digest_of

HEADER_BYTES = 5
BUFFERED_MESSAGES_MAX = 10_000


class PaymentCodec(faust.Codec):
    """Confluent-framed payment_initiated, read by fastavro."""

    _schema = fastavro.parse_schema(json.loads(schemas.newest("ledgerflow.PaymentInitiated").text))

    def _loads(self, s: bytes) -> Any:
        return fastavro.schemaless_reader(io.BytesIO(s[HEADER_BYTES:]), self._schema, None)

    def _dumps(self, obj: Any) -> bytes:
        raise NotImplementedError("nothing is written with it")


codecs.register("payment", PaymentCodec())


def create_app(job: dict[str, Any]) -> faust.App:
    """Return the tuned app, still without its agent."""
    return faust.App(
        job["app_id"],
        broker=f"kafka://{job['bootstrap_servers']}",
        store="rocksdb://?driver=rocksdict",
        datadir=job["data_dir"],
        topic_partitions=job["partitions"],
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * 2**20,
        broker_max_poll_records=20_000,
        producer_linger=0.02,
        producer_max_batch_size=2**20,
        stream_buffer_maxsize=65_536,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        table_key_index_size=1_000_000,
        web_enabled=False,
    )


def add_sum(app: faust.App, job: dict[str, Any]) -> None:
    """Declare the topic, the table and the agent that ends the process after `count` events."""
    partitions, count = job["partitions"], job["count"]
    payments = app.topic(
        job["source"], value_serializer="payment", key_serializer="raw", partitions=partitions
    )
    options = {"block_cache_size": 64 * 2**20}
    sums = app.Table("sums", default=int, partitions=partitions, options=options)

    @app.task
    async def widen_producer_buffer() -> None:
        app.producer.buffer.max_messages = BUFFERED_MESSAGES_MAX

    @app.agent(payments, name="sum")
    async def add_up(stream: Any) -> None:
        done, read = 0, Counter[int]()
        started = cpu = 0.0
        async for payment in stream:
            if not done:
                started, cpu = time.perf_counter(), time.process_time()
            sums[payment["debtor_account_id"]] += payment["amount_minor"]
            read[stream.current_event.message.partition] += 1
            done += 1
            if done == count:
                seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
                found = {
                    "done": True,
                    "seconds": seconds,
                    "cpu_s": cpu_s,
                    "records": done,
                    "read": [read[number] for number in range(partitions)],
                    "digest": digest_of(sums.items()),
                }
                print(json.dumps(found), file=sys.__stdout__, flush=True)
                os._exit(0)


def main() -> None:
    """Run the worker of the job in the first argument."""
    job = json.loads(sys.argv[1])
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    for name in ("aiokafka", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = create_app(job)
    add_sum(app, job)
    app.finalize()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)
    faust.Worker(app, loglevel="warning").execute_from_commandline()


if __name__ == "__main__":
    main()
