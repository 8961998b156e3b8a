"""Keeps the workers of a cluster running, as a supervisor does, and counts how they end."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter

from pipeline.cli.supervisor import answers_ready
from tests.integration.cluster import Cluster

RESTART_AFTER_S = 1.0
LOOK_EVERY_S = 0.1
READY_WITHIN_S = 120.0


class Keeper:
    """Keeps the workers that are wanted running, and counts how they end."""

    def __init__(self, cluster: Cluster, workers: set[int]) -> None:
        self.cluster = cluster
        self.wanted = set(workers)
        self.exits: Counter[int] = Counter()
        """Exit codes of workers that ended by themselves or by a fault."""
        self.deaths: Counter[int] = Counter()
        """How often each worker has ended."""
        self.ended_with: Counter[tuple[int, int]] = Counter()
        """How often each worker has ended with each exit code."""
        self.lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            with self.lock:
                for number in sorted(self.wanted):
                    process = self.cluster.workers.get(number)
                    if process is not None and process.poll() is None:
                        continue
                    if process is not None:
                        self.exits[process.returncode] += 1
                        self.deaths[number] += 1
                        self.ended_with[number, process.returncode] += 1
                        del self.cluster.workers[number]
                        time.sleep(RESTART_AFTER_S)
                    self.cluster.start(number)

    def process(self, number: int) -> subprocess.Popen[bytes]:
        """Return a worker's process, once there is one."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            process = self.cluster.workers.get(number)
            if process is not None and process.poll() is None:
                return process
            time.sleep(LOOK_EVERY_S)
        raise AssertionError(f"worker {number} does not stay alive")

    def wait_dead(self, number: int, within_s: float, deaths: int = 1) -> bool:
        """Wait until a worker has ended so many times from now on; say whether it has."""
        wanted, deadline = self.deaths[number] + deaths, time.monotonic() + within_s
        while self.deaths[number] < wanted:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY_S)
        return True

    def kill(self, number: int) -> None:
        """End a worker with SIGKILL and wait for it; it is started again."""
        with self.lock:
            process = self.process(number)
            process.kill()
            process.wait()

    def is_ready(self, number: int) -> bool:
        """Return whether a worker answers that it is ready, now."""
        return answers_ready(self.cluster.url(number))

    def wait_ready(self, number: int) -> float:
        """Wait until a worker is ready, however often it has to be restarted; return how long, seconds."""
        started = time.monotonic()
        while True:
            try:
                self.cluster.wait_ready(number, READY_WITHIN_S)
                return time.monotonic() - started
            except (AssertionError, KeyError):
                if time.monotonic() - started > READY_WITHIN_S:
                    raise AssertionError(f"worker {number} does not become ready") from None
                time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Let the workers be."""
        self._ended.set()
        self._thread.join()
