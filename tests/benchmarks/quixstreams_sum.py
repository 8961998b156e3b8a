"""The peer: the sum job as one writes it with quixstreams, exactly once. Run by an environment of its own.

`<its python> quixstreams_sum.py '{"app_id": ..., "count": ..., ...}'` prints one JSON line after `count`
events: seconds and CPU seconds from the first event decoded to the last one applied; its last commit comes
after that, in time for whoever reads the outputs. Imports nothing of ours: this environment has none of it.
"""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import fastavro
from quixstreams import Application, State

HEADER_BYTES = 5


class Sums:
    """The work: decode, add up, encode."""

    def __init__(self, job: dict[str, Any], app: Application) -> None:
        self._app = app
        self._count = job["count"]
        self._payment = fastavro.parse_schema(json.loads(job["payment_schema"]))
        self._balance = fastavro.parse_schema(json.loads(job["balance_schema"]))
        self._header = bytes.fromhex(job["balance_header"])
        self.done = 0
        self.started = self.cpu_started = self.ended = self.cpu_ended = 0.0

    def add(self, value: bytes, state: State) -> bytes:
        """Add one payment to its debtor's sum; return the encoded balance_updated."""
        if not self.done:
            self.started, self.cpu_started = time.perf_counter(), time.process_time()
        payment: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), self._payment, None)
        total = state.get("sum", 0) + payment["amount_minor"]
        state.set("sum", total)
        said = self._encoded(payment, total)
        self.done += 1
        if self.done == self._count:
            self.ended, self.cpu_ended = time.perf_counter(), time.process_time()
            self._app.stop()
        return said

    def _encoded(self, payment: Any, total: int) -> bytes:
        row = {
            **{name: payment[name] for name in ("event_id", "tenant_id", "occurred_at", "correlation_id")},
            "causation_id": payment["event_id"],
            "account_id": payment["debtor_account_id"],
            "account_type": "checking",
            "currency": payment["currency"],
            **dict.fromkeys(("debits_pending", "credits_pending", "credits_posted", "account_sequence"), 0),
            "debits_posted": total,
            "available_minor": -total,
            "balance_minor": -total,
            "overdraft_limit_minor": None,
            "status": "OPEN",
        }
        target = io.BytesIO()
        target.write(self._header)
        fastavro.schemaless_writer(target, self._balance, row)
        return target.getvalue()


def main() -> None:
    """Run the job in the first argument."""
    job = json.loads(sys.argv[1])
    app = Application(
        broker_address=job["bootstrap_servers"],
        consumer_group=job["app_id"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=job["data_dir"],
        commit_interval=job["commit_interval_s"],
        loglevel="WARNING",
        producer_extra_config={"linger.ms": 20, "partitioner": "murmur2_random"},
        consumer_extra_config={"fetch.wait.max.ms": 100},
    )
    source = app.topic(job["source"], value_deserializer="bytes", key_deserializer="str")
    output = app.topic("balances", value_serializer="bytes", key_serializer="str")
    sums = Sums(job, app)
    app.dataframe(source).apply(sums.add, stateful=True).to_topic(output)
    app.run()
    found = {
        "done": True,
        "seconds": sums.ended - sums.started,
        "cpu_s": sums.cpu_ended - sums.cpu_started,
        "records": sums.done,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
