"""The local stack on real processes: it answers, keeps its data, leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.settings import Settings
from tests.conftest import settings_in
from tests.progress import SILENCE_S, ended, wait_for, wait_until_gone

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A directory whose name would break a command line or a URL that is not written with care."""
    return tmp_path / "my data"


@pytest.fixture
def foreground(data_dir: Path) -> Iterator[Callable[[Settings], subprocess.Popen[str]]]:
    """Starts `python -m pipeline.runtime.local.stack` and returns once it is ready; kills it at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(settings: Settings) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline.runtime.local.stack", "--data", str(data_dir)]
        for name in ("kafka", "controller", "registry"):
            command += [f"--{name}-port", str(getattr(settings, f"{name}_port"))]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def offspring(pid: int) -> list[psutil.Process]:
    """Return the guardians and the Java processes of a stack's owner."""
    found = psutil.Process(pid).children(recursive=True)
    assert sorted(process.name() for process in found if "java" in process.name()) == ["java", "java"]
    return found


def records(bootstrap_servers: str, topic: str, count: int) -> list[bytes]:
    """Read `count` records of partition 0 of a topic."""
    reader = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "test"})
    reader.assign([TopicPartition(topic, 0, 0)])
    found = [message.value() for message in reader.consume(count, timeout=SILENCE_S)]
    reader.close()
    return found


def test_the_registry_answers_in_confluents_api(stack: LocalStack) -> None:
    with urllib.request.urlopen(f"{stack.schema_registry_url}/schemas/types") as answer:
        assert "AVRO" in json.load(answer)


def test_the_broker_serves_transactions(stack: LocalStack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    admin.create_topics([NewTopic("stack-transactions", 1, 1)])["stack-transactions"].result(30)
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "transactional.id": "stack"})
    producer.init_transactions(30)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("stack-transactions", value)
        producer.flush(30)
        end(30)
    assert records(stack.bootstrap_servers, "stack-transactions", 1) == [b"committed"]


def test_nothing_listens_beyond_loopback(stack: LocalStack) -> None:
    listening = [
        connection.laddr.ip
        for pid in stack.pids.values()
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_data_directory_in_use_is_refused(stack: LocalStack) -> None:
    second = settings_in(stack.data_dir)
    with pytest.raises(StackError, match=rf"another stack \(process {os.getpid()}\) uses"):
        LocalStack(second).start()
    stack.check()


def test_a_port_in_use_is_refused(data_dir: Path) -> None:
    settings = settings_in(data_dir)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.registry_port))
        taken.listen()
        with pytest.raises(StackError, match=f"port {settings.registry_port} .*LEDGERFLOW_REGISTRY_PORT"):
            LocalStack(settings).start()


def test_a_second_stack_goes_on_where_it_stopped_and_a_dead_part_is_noticed(data_dir: Path) -> None:
    schema = json.dumps({"schema": '"string"'}).encode()
    first = LocalStack(settings_in(data_dir))
    with first:
        processes = [psutil.Process(pid) for pid in first.pids.values()]
        admin = AdminClient({"bootstrap.servers": first.bootstrap_servers})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(30)
        producer = Producer({"bootstrap.servers": first.bootstrap_servers})
        producer.produce("kept", b"a record")
        assert producer.flush(30) == 0
        url = f"{first.schema_registry_url}/subjects/kept/versions"
        kind = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, schema, kind)) as answer:
            schema_id = json.load(answer)["id"]
    wait_until_gone(processes)

    with LocalStack(settings_in(data_dir)) as second:  # on other ports
        assert records(second.bootstrap_servers, "kept", 1) == [b"a record"]
        with urllib.request.urlopen(f"{second.schema_registry_url}/schemas/ids/{schema_id}") as answer:
            assert json.load(answer)["schema"] == '"string"'
        second.check()
        os.kill(second.pids["kafka"], signal.SIGKILL)
        with pytest.raises(StackError, match="kafka ended with exit code 137"):
            wait_for(second.check, "the end of Kafka")
        processes = [psutil.Process(second.pids["registry"])]
    wait_until_gone(processes)


def test_nothing_is_left_when_the_owner_is_killed(
    data_dir: Path, foreground: Callable[[Settings], subprocess.Popen[str]]
) -> None:
    settings = settings_in(data_dir)
    owner = foreground(settings)
    processes = offspring(owner.pid)
    owner.kill()
    # At once, on the same ports: the new one waits for the old one's parts to end.
    owner = foreground(settings)
    wait_until_gone(processes)

    processes = offspring(owner.pid)
    owner.send_signal(signal.SIGTERM)
    assert ended(owner) == 0
    wait_until_gone(processes)


def test_a_part_whose_guardian_is_killed_ends_too(
    data_dir: Path, foreground: Callable[[Settings], subprocess.Popen[str]]
) -> None:
    owner = foreground(settings_in(data_dir))
    processes = offspring(owner.pid)
    next(process for process in processes if "java" not in process.name()).kill()
    assert ended(owner) == 1
    wait_until_gone(processes)


def test_a_start_that_fails_shows_the_log_and_leaves_nothing(data_dir: Path) -> None:
    settings = settings_in(data_dir)
    # A file where Kafka keeps its cluster's log: it cannot start.
    (data_dir / "kafka").mkdir(parents=True)
    (data_dir / "kafka" / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=other\n")
    stack = LocalStack(settings)
    with pytest.raises(StackError, match=r"kafka ended with exit code 1(.|\n)*node.id"):
        stack.start()
    assert stack.pids == {}
    assert [
        child for child in psutil.Process().children(recursive=True) if str(data_dir) in str(child.cmdline())
    ] == []
