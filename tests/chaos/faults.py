"""What each fault does to a running cluster, and how the workers are kept alive meanwhile.

Keeper: restarts what has ended, as a supervisor does
strike: one fault of a schedule; returns when the next one may come
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pipeline.runtime.stack import LocalStack
from tests.chaos.schedule import Strike
from tests.integration.cluster import Cluster

RESTART_AFTER_S = 1.0
LOOK_EVERY_S = 0.1
READY_WITHIN_S = 120.0
PAST_THE_SESSION_S = 6.0
REGISTRY_AWAY_S = 8.0
STORM_S = 20.0


class Keeper:
    """Keeps the workers that are wanted running, and counts how they end."""

    def __init__(self, cluster: Cluster, workers: set[int]) -> None:
        self.cluster = cluster
        self.wanted = set(workers)
        self.exits: Counter[int] = Counter()
        """Exit codes of workers that ended by themselves or by a fault."""
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

    def wait_ready(self, number: int) -> float:
        """Wait until a worker is ready, however often it has to be restarted; return how long, seconds."""
        started = time.monotonic()
        while True:
            try:
                self.cluster.wait_ready(number, READY_WITHIN_S)
                return time.monotonic() - started
            except (AssertionError, KeyError):
                if time.monotonic() - started > READY_WITHIN_S:
                    raise
                time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """Let the workers be."""
        self._ended.set()
        self._thread.join()


class Faults:
    """Strikes a cluster."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.recovered_s: list[float] = []
        """How long each killed worker took to be ready again."""
        self._by_name: dict[str, Callable[[Strike], None]] = {
            "kill": self._kill,
            "wipe": self._wipe,
            "torn": self._tear,
            "zombie": self._zombie,
            "broker": self._broker,
            "registry": self._registry,
            "storm": self._storm,
        }

    @property
    def cluster(self) -> Cluster:
        """The cluster that is struck."""
        return self.keeper.cluster

    def strike(self, strike: Strike) -> None:
        """Do one fault."""
        self._by_name[strike.fault](strike)

    def _kill(self, strike: Strike) -> None:
        self.keeper.process(strike.worker).kill()
        time.sleep(LOOK_EVERY_S)
        self.recovered_s.append(self.keeper.wait_ready(strike.worker))

    def _while_dead(self, number: int, damage: Callable[[Path], None]) -> None:
        """Kill a worker, damage its folder, let it come back."""
        with self.keeper.lock:
            process = self.keeper.process(number)
            process.kill()
            process.wait()
            damage(self.cluster.settings.data_dir / f"worker-{number}")
        self.recovered_s.append(self.keeper.wait_ready(number))

    def _wipe(self, strike: Strike) -> None:
        self._while_dead(strike.worker, shutil.rmtree)

    def _tear(self, strike: Strike) -> None:
        chance = random.Random(strike.chance)

        def tear(folder: Path) -> None:
            files = sorted(
                file for file in folder.rglob("*.rocks/*") if file.name != "LOCK" and file.is_file()
            )
            if not files:
                return
            file = chance.choice(files)
            if chance.random() < 0.5:
                file.unlink()
            else:
                os.truncate(file, file.stat().st_size // 2)

        self._while_dead(strike.worker, tear)

    def _zombie(self, strike: Strike) -> None:
        process = self.keeper.process(strike.worker)
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.cluster.settings.session_timeout_s + PAST_THE_SESSION_S)
        process.send_signal(signal.SIGCONT)
        self.keeper.wait_ready(strike.worker)

    def _broker(self, strike: Strike) -> None:
        stack = self.cluster.stack
        os.kill(stack.pids["kafka"], signal.SIGKILL)
        stack.stop()
        self.cluster.stack = LocalStack(stack.settings)
        self.cluster.stack.start()
        for number in sorted(self.keeper.wanted):
            self.keeper.wait_ready(number)

    def _registry(self, strike: Strike) -> None:
        pid = self.cluster.stack.pids["registry"]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(REGISTRY_AWAY_S)
        finally:
            os.kill(pid, signal.SIGCONT)

    def _storm(self, strike: Strike) -> None:
        chance, ends = random.Random(strike.chance), time.monotonic() + STORM_S
        guest = max(self.keeper.wanted) + 1
        while time.monotonic() < ends:
            with self.keeper.lock:
                self.keeper.wanted ^= {guest}
                if guest not in self.keeper.wanted and guest in self.cluster.workers:
                    self.cluster.workers[guest].terminate()
            time.sleep(chance.uniform(2.0, 5.0))
        with self.keeper.lock:
            self.keeper.wanted.discard(guest)
        if guest in self.cluster.workers:
            self.cluster.terminate(guest)
