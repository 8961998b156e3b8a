"""A real broker with TLS, logins and client certificates; every kind of client, and no secret in sight."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Producer

from pipeline.cli.problems import Failed
from pipeline.cli.reach import require_kafka
from pipeline.cli.supervisor import environment
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.topics import create_topics, describe_topics
from pipeline.runtime.settings import Settings
from tests.progress import ended, wait_for
from tests.runtime.fake_registry import FakeRegistry
from tests.security.certificates import Authority
from tests.security.tls_broker import TlsBroker, tls_broker

MARKER = "m4rker-pa55word"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    with tls_broker(tmp_path_factory.mktemp("tls"), MARKER) as running:
        yield running


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secret") / "password"
    file.touch(0o600)
    file.write_text(MARKER + "\n")
    return file


async def _round_trip(settings: Settings) -> bytes | None:
    """Write and read a record by aiokafka."""
    producer = AIOKafkaProducer(**settings.aiokafka())
    await producer.start()
    try:
        sent = await producer.send_and_wait("payments", settings.security_protocol.encode(), partition=0)
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer("payments", auto_offset_reset="earliest", **settings.aiokafka())
    await consumer.start()
    try:
        async for record in consumer:
            if (record.partition, record.offset) == (sent.partition, sent.offset):
                return bytes(record.value)
    finally:
        await consumer.stop()
    return None


def test_both_libraries_log_in_and_show_a_certificate(broker: TlsBroker, password_file: Path) -> None:
    for settings in (broker.login(sasl_password_file=password_file), broker.mutual()):
        require_kafka(settings)
        create_topics(settings, ())
        producer = Producer(settings.librdkafka())
        producer.produce("payments", b"by librdkafka")
        assert producer.flush(30) == 0
        said = settings.security_protocol.encode()
        assert asyncio.run(asyncio.wait_for(_round_trip(settings), 60)) == said
        assert {topic["partitions"] for topic in describe_topics(settings)} == {4}


def refused(settings: Settings) -> str:
    began = time.monotonic()
    with pytest.raises(Failed) as raised:
        require_kafka(settings)
    assert time.monotonic() - began < 20 and "\n" not in str(raised.value) and MARKER not in str(raised.value)
    return str(raised.value)


@pytest.mark.long
def test_each_thing_that_is_wrong_is_said_by_name(broker: TlsBroker, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another authority")
    pair = other.sign("ledger")
    no_certificate: dict[str, Any] = {"ssl_certfile": None, "ssl_keyfile": None}
    assert "refuses the login of 'ledger'" in refused(broker.login(sasl_password="wrong-" + MARKER))
    assert "refuses the login of 'nobody'" in refused(
        broker.login(sasl_username="nobody", sasl_password=MARKER)
    )
    assert "no authority of LEDGERFLOW_SSL_CAFILE has signed" in refused(
        broker.login(sasl_password=MARKER, ssl_cafile=other.file)
    )
    assert "wants a certificate of the client" in refused(broker.mutual(**no_certificate))
    assert "refuses the client's certificate" in refused(
        broker.mutual(ssl_certfile=pair.certificate, ssl_keyfile=pair.key)
    )
    localhost = broker.login(sasl_password=MARKER, bootstrap_servers=f"localhost:{broker.login_port}")
    assert "is for another name than localhost" in refused(localhost)
    assert "does not answer" in refused(
        broker.login(sasl_password=MARKER, security_protocol="SASL_PLAINTEXT", ssl_cafile=None)
    )


def cli(settings: Settings, *arguments: str, **given: str) -> str:
    """Run a command; return all that it shows."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, **environment(settings), **given},
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.long
def test_a_worker_runs_by_tls_and_nothing_shows_the_password(
    broker: TlsBroker, password_file: Path, tmp_path: Path
) -> None:
    """Neither a command line, nor a log, nor a file of its folder, nor what any command shows."""
    registry = FakeRegistry()
    register_all(registry.url)
    given: dict[str, Any] = {
        "data_dir": tmp_path, "schema_registry_url": registry.url, "web_port": broker.web_port,
        "registry_username": "reader", "registry_password": MARKER, "log_level": "DEBUG",
    }  # fmt: skip
    settings = broker.login(sasl_password_file=password_file, **given)
    log = tmp_path / "worker.log"
    with log.open("w") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "worker"], env={**os.environ, **environment(settings)},
            stdout=out, stderr=out,
        )  # fmt: skip

    def ready() -> bool:
        assert worker.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.web_port}/ready", timeout=2):
                return True
        except OSError:
            return False

    try:
        wait_for(ready, f"the worker, see {log}", lambda: log.stat().st_size)
        processes = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
        shown = [str(process.cmdline()) for process in processes]
        shown += [cli(settings, *command) for command in (["topics"], ["dead-letters", "list"])]
        in_the_environment = broker.login(sasl_password=MARKER, **given)
        shown += [cli(in_the_environment, "tail", "payments")]
        shown += [cli(in_the_environment, "verify", LEDGERFLOW_SASL_PASSWORD="wrong-" + MARKER)]
        shown += [cli(in_the_environment, "tail", "payments", LEDGERFLOW_PARTITIONS="none")]
    finally:
        worker.terminate()
        code = ended(worker)
        registry.stop()
    assert code == 0
    assert "payments[" in shown[-3] and "refuses the login of 'ledger'" in shown[-2]
    shown += [file.read_bytes().decode(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(MARKER in text for text in shown)
