"""The two entry points serve a Faust app that knows nothing of Ledgerflow."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.stack import LocalStack

APP = Path(__file__).with_name("ten_lines.py")


def run_until(stack: LocalStack, datadir: Path, expected: str) -> None:
    """Run the app until it prints a line, at most a minute."""
    environment = {
        **os.environ,
        "BROKER": f"columnar://{stack.settings.bootstrap_servers}",
        "DATADIR": str(datadir),
    }
    log = datadir / "out.log"
    with log.open("w") as out:
        app = subprocess.Popen(
            [sys.executable, str(APP), "worker", "--without-web", "-l", "info"],
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + 60
        while expected not in log.read_text():
            assert app.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)
    finally:
        app.kill()
        app.wait()


def test_a_ten_line_app_counts_in_batches_and_finds_its_table_after_a_kill(
    stack: LocalStack, tmp_path: Path
) -> None:
    servers = stack.settings.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.create_topics([NewTopic("words", 2, 1)]).values():
        future.result()
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random"})
    for _ in range(100):
        producer.produce("words", b"v", b"alpha")
    producer.flush()
    run_until(stack, tmp_path, "('alpha', 100)")
    # Killed before Faust committed the source offset, it may count again; its table must be there at least.
    producer.produce("words", b"v", b"beta")
    producer.flush()
    run_until(stack, tmp_path, "('alpha', ")
