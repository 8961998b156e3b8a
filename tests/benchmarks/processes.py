"""Processes that are measured: what they say, a JSON object a line, and how much memory they take."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900.0
SAMPLE_S = 0.1
MIB = 2**20

Said = dict[str, Any]


class RunFailed(RuntimeError):
    """A measured process ended without its result; the text has the end of its log."""


class Process:
    """A process of the run, from start to end of a `with` block, at which it is killed.

    `variables` come on top of the environment. Standard error goes to `log`.
    """

    def __init__(self, command: list[str], log: Path, variables: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._log = log
        self._environment = {**os.environ, **(variables or {})}
        self._said: queue.Queue[Said | None] = queue.Queue()
        self._done = False

    def __enter__(self) -> Process:
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._memory = _Memory(self._process.pid)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._memory.start()
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._memory.join()
        self._listener.join()

    @property
    def rss_mib(self) -> int:
        """Peak resident memory so far."""
        return round(self._memory.peak_bytes / MIB)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def cpu_s(self) -> float:
        """Return the CPU seconds it has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def wait_for(self, wanted: Callable[[Said], bool], timeout_s: float = TIMEOUT_S) -> Said:
        """Return the next line that is `wanted`; raise RunFailed if there will be none, or not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                said = self._said.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self.failure(f"said nothing in {timeout_s:.0f} s") from None
            if said is None:
                raise self.failure("gave no result")
            if wanted(said):
                return said

    def new_lines(self) -> list[Said]:
        """Return what it has said meanwhile; raise RunFailed if it has ended without `done`."""
        lines: list[Said] = []
        while not self._done and not self._said.empty():
            said = self._said.get()
            if said is None:
                raise self.failure("ended")
            self._done = bool(said.get("done"))
            lines.append(said)
        return lines

    def tell(self, text: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def failure(self, what: str) -> RunFailed:
        """Return the error that says what is wrong with it."""
        tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
        name = " ".join(self._command[1:3])
        return RunFailed(f"{name} {what} (exit code {self._process.poll()}):\n{tail}")

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._said.put(json.loads(line))
        self._said.put(None)


def module(name: str, job: Mapping[str, Any]) -> list[str]:
    """Return the command that runs a module of ours with a job."""
    return [sys.executable, "-m", name, json.dumps(job)]


def run(command: list[str], log: Path, timeout_s: float = TIMEOUT_S) -> Said:
    """Run a process until it says `done`; return that line and `rss_mib`."""
    with Process(command, log) as process:
        said = process.wait_for(lambda line: bool(line.get("done")), timeout_s)
        return {**said, "rss_mib": process.rss_mib}


class _Memory(threading.Thread):
    """Samples the resident memory of a process until it has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        """Sample until the process is gone or waited for."""
        while not self._ended.wait(SAMPLE_S):
            try:
                self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
            except psutil.Error:
                return

    def join(self, timeout: float | None = None) -> None:
        """End the sampling and wait for it."""
        self._ended.set()
        super().join(timeout)
