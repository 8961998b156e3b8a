"""The two entry points serve a Faust app that knows nothing of Ledgerflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.local.stack import LocalStack
from tests.progress import SILENCE_S, wait_for

APP = Path(__file__).with_name("ten_lines.py")


CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def run_until(stack: LocalStack, datadir: Path, expected: str, committed: int) -> None:
    """Run the app until it prints a line and has committed so many offsets."""
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

        def is_there() -> bool:
            assert app.poll() is None, log.read_text()[-3000:]
            return expected in log.read_text() and committed_offsets(stack) == committed

        wait_for(is_there, f"{expected} in {log}", lambda: log.stat().st_size)
    finally:
        app.kill()
        app.wait()


def committed_offsets(stack: LocalStack) -> int:
    """Return how many records of its topic the app has committed."""
    consumer = Consumer({**stack.settings.librdkafka(), "group.id": "ten-lines"})
    try:
        found = consumer.committed([TopicPartition("words", number) for number in (0, 1)], timeout=30)
        return sum(max(place.offset, 0) for place in found)
    finally:
        consumer.close()


def produce(stack: LocalStack, word: bytes, count: int, codec: str = "none") -> None:
    """Write a word to the app's topic so many times, in batches packed with a codec."""
    settings = {"partitioner": "murmur2_random", "compression.type": codec, "linger.ms": 100}
    producer = Producer({**stack.settings.librdkafka(), **settings})
    for _ in range(count):
        producer.produce("words", b"a value that is long enough to be packed", word)
    assert producer.flush(30) == 0


def test_a_ten_line_app_counts_batches_of_every_codec_and_goes_on_after_a_kill(
    stack: LocalStack, tmp_path: Path
) -> None:
    admin = AdminClient(stack.settings.librdkafka())
    for future in admin.create_topics([NewTopic("words", 2, 1)]).values():
        future.result(SILENCE_S)
    for codec in CODECS:
        produce(stack, b"alpha", 40, codec)
    run_until(stack, tmp_path, "('alpha', 200)", 200)
    produce(stack, b"beta", 3)
    run_until(stack, tmp_path, "[('alpha', 200), ('beta', 3)]", 203)
