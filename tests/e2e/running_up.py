"""`ledgerflow up` as a process that a test starts, asks and ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.conftest import free_ports
from tests.progress import LOOK_EVERY_S, SILENCE_S, Found, run, wait_for, wait_until_gone

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "pipeline.cli"]
PORTS = ("kafka", "controller", "internal", "registry", "gateway", "web")
DEMO = ("--demo", "--rate", "15", "--json")
"""What a busy machine can read again at the end within minutes."""
VERIFIES_WITHIN_S = 4 * SILENCE_S
"""At its end a demo reads all its topics, and nothing on its disk moves meanwhile."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def command(*arguments: str) -> Ended:
    """Run a command to its end."""
    done = run([*CLI, *arguments], cwd=ROOT)
    return Ended(done.returncode, done.stdout, done.stderr)


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


class Place:
    """A data directory and ports for one stack at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ports = dict(zip(PORTS, map(str, free_ports()), strict=False))
        self.process: subprocess.Popen[str] | None = None

    def options(self, **other: str) -> list[str]:
        """Return the options that say where; `other` ports instead of the place's own."""
        ports = {**self.ports, **other}
        given = [part for name in PORTS for part in (f"--{name}-port", ports[name])]
        return ["--data", str(self.data_dir), *given]

    def up(self, *options: str) -> None:
        """Start `up` here, where nothing may be left of an earlier one."""
        assert belonging(self.data_dir) == []
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([*CLI, "up", *self.options(), *options], cwd=ROOT, **pipes)

    def end(self, number: int | None = None) -> Ended:
        """Send `up` a signal, if one is given, and wait until it has ended."""
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        out, err = self.wait_for(self._said, "the end of `up`", VERIFIES_WITHIN_S)
        return Ended(self.process.returncode, out, err)

    def _said(self) -> tuple[str, str] | None:
        """Return all that `up` has written, once it has ended."""
        assert self.process is not None
        try:
            return self.process.communicate(timeout=LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End `up` without any order, and see that all that it has started ends with it."""
        if self.process is not None:
            left = belonging(self.data_dir)
            self.process.kill()
            self.process.communicate(timeout=SILENCE_S)
            wait_until_gone(left)

    def figures(self) -> dict[str, int]:
        """Return what moves while something is done here: the lengths of logs, and the records by topic."""
        logs = {str(path): path.stat().st_size for path in (self.data_dir / "logs").glob("*")}
        return {**logs, **self.counted()}

    def wait_for(self, look: Callable[[], Found | None], what: str, silence_s: float = SILENCE_S) -> Found:
        """Return what `look` finds, once it finds something; wait for as long as something moves here."""
        return wait_for(look, what, self.figures, silence_s)

    def endpoints(self, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait for endpoints.json (and for something that it shall say), and return it."""
        return self.wait_for(lambda: self._endpoints(holds), "endpoints.json, or what it shall say")

    def _endpoints(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        assert self.process is not None
        assert self.process.poll() is None, self.process.communicate()
        path = self.data_dir / "endpoints.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found if found is not None and holds(found) else None

    def ask(self, *arguments: str) -> str:
        """Run a command on the stack that runs here; return its output."""
        done = command(*arguments, "--data", str(self.data_dir))
        assert done.code == 0, done.err + done.out
        return done.out

    def java(self) -> list[psutil.Process]:
        """Return the Java processes that `up` has started here, the broker first."""
        assert self.process is not None
        started = psutil.Process(self.process.pid).children(recursive=True)
        found = [process for process in started if process.name() == "java"]
        return sorted(found, key=lambda process: "kafka.Kafka" not in process.cmdline())

    def counted(self) -> dict[str, int]:
        """Return the records by topic that `up` had counted when it last saved them."""
        path = self.data_dir / "counts.json"
        counts: dict[str, int] = json.loads(path.read_text())["records"] if path.exists() else {}
        return counts

    def wait_for_postings(self) -> dict[str, Any]:
        """Wait until payments have been posted; return the newest one of a customer, as `tail` shows it."""

        def newest() -> dict[str, Any] | None:
            told = map(json.loads, self.ask("tail", "postings", "--limit", "50", "--json").splitlines())
            postings = [record for record in told if _is_a_customers(record["value"])]
            return postings[-1] if postings else None

        return self.wait_for(newest, "a posting")


def _is_a_customers(event: dict[str, Any]) -> bool:
    """Whether it is a posting of a customer's account: the ledger's own are on partitions of their own."""
    return "side" in event and not event["account_id"].startswith("$")
