"""`ledgerflow up` as a user meets it: a demo that verifies itself, a stack that is used, killed, and gone."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "pipeline.cli"]
READY_WITHIN_S = 120
GONE_WITHIN_S = 30


def quiet_ports(count: int) -> list[int]:
    """Return free ports below those that the system gives to outgoing connections: they stay free."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(15_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def command(data_dir: Path) -> list[str]:
    """`ledgerflow up` on ports and a data directory of its own."""
    kafka, controller, registry, web = quiet_ports(4)
    ports = [
        "--kafka-port",
        kafka,
        "--controller-port",
        controller,
        "--registry-port",
        registry,
        "--web-port",
        web,
    ]
    return [*CLI, "up", "--data", str(data_dir), *map(str, ports)]


@pytest.fixture
def start(command: list[str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `up` with more options; kills it at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> subprocess.Popen[str]:
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*command, *options], cwd=ROOT, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def belonging(data_dir: Path) -> list[psutil.Process]:
    """Return the processes that name the data directory in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            named = [*process.cmdline(), process.environ().get("LEDGERFLOW_DATA_DIR", "")]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(data_dir) in part for part in named):
            found.append(process)
    return found


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=GONE_WITHIN_S)
    assert alive == []


def endpoints(data_dir: Path, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    """Wait for endpoints.json (and for something that it shall say), and return it."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if (data_dir / "endpoints.json").exists():
            found: dict[str, Any] = json.loads((data_dir / "endpoints.json").read_text())
            if holds(found):
                return found
        time.sleep(0.2)
    raise AssertionError("no endpoints.json, or not what it shall say")


def ask(data_dir: Path, *arguments: str) -> str:
    """Run a command on the stack of the data directory; return its output."""
    done = subprocess.run(
        [*CLI, *arguments, "--data", str(data_dir)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_demo_shows_that_everything_holds_and_leaves_nothing_behind(
    data_dir: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("--demo", "--duration", "20", "--json")
    out, err = process.communicate()
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert out.count("\n") == 1
    assert summary["ok"] and summary["first_run"] and summary["error"] is None
    assert len(summary["invariants"]) > 20 and all(summary["invariants"].values())
    for name in ("events_in", "postings", "balances", "alerts", "dead_letters"):
        assert summary[name] > 0, name
    assert summary["restarts"] == 0 and summary["lag"] == 0
    assert not (data_dir / "endpoints.json").exists()
    assert belonging(data_dir) == []


def test_a_stack_goes_on_where_it_stopped_restarts_its_workers_and_dies_with_its_owner(
    data_dir: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("--workers", "2")
    before = endpoints(data_dir)["workers"]
    assert json.loads(ask(data_dir, "balance", "north/c1-1", "--json"))["data"]["currency"] == "EUR"
    counts = {topic["topic"]: topic["offsets"] for topic in json.loads(ask(data_dir, "topics", "--json"))}
    assert counts["postings"] > 0
    (posting,) = map(json.loads, ask(data_dir, "tail", "postings", "--limit", "1", "--json").splitlines())
    assert posting["event"] == "PostingRecorded" and posting["value"]["amount_minor"] > 0

    os.kill(before[1]["pid"], signal.SIGKILL)
    after = endpoints(data_dir, lambda found: found["workers"] != before)["workers"]
    assert [worker["url"] for worker in after] == [worker["url"] for worker in before]
    with urllib.request.urlopen(f"{before[0]['url']}/live") as answer:
        assert answer.status == 200

    everything = belonging(data_dir)
    assert len(everything) == 9, "up, and two Java processes and two workers with their guardians"
    process.kill()
    assert_gone(everything)


@pytest.mark.parametrize(
    ("options", "hint"),
    [(["--web-port", "70000"], "--web-port"), (["--demoo"], "up --help"), (["--rate", "0"], "--rate")],
)
def test_a_bad_option_ends_in_one_line(
    start: Callable[..., subprocess.Popen[str]], options: list[str], hint: str
) -> None:
    process = start(*options)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert hint in err
