"""What each fault does to a running cluster; a fault returns when the next one may come."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from pipeline.cli.problems import Failed
from pipeline.cli.snapshot import take_now
from pipeline.runtime.exit_codes import EXIT_CRASH
from pipeline.runtime.folders import TABLES
from pipeline.runtime.private_files import snapshot_key
from pipeline.runtime.signing import trusted_parts
from pipeline.runtime.store.restoring import ask_cluster, check, choose, restore
from tests.chaos.bombs import throw
from tests.chaos.confined import SmallDisk, SmallMemory
from tests.chaos.forged import SKIPPED, Forger
from tests.chaos.hostile import Hostile
from tests.chaos.keeper import LOOK_EVERY_S, Keeper
from tests.chaos.log_faults import LogFaults
from tests.chaos.network import Network
from tests.chaos.schedule import Strike
from tests.chaos.server_faults import ServerFaults
from tests.integration.cluster import Cluster

PAST_THE_SESSION_S = (2.0, 6.0)
"""Before and after the broker has aborted the transactions of a worker that is silent (10 s)."""
PAUSE_S = 3.0
"""Shorter than a session: nobody has noticed when the bytes go on."""
SNAPSHOT_AGE_S = 4.0
STORM_S = 20.0
STORM_GAP_S = (2.0, 5.0)
STORM_WORKERS = 3
DIES_WITHIN_S = 30.0
UNREAD_S = 3.0
"""While no worker runs: so long the load goes on before an offset is forged."""
REFUSED_WITHIN_S = 240.0
"""Workers start slowly on a busy machine, and all must have had their chance."""
MEMORY_LEFT_BYTES = 2**20
STARVED_MB = 64
"""Less than a worker needs to start."""


class Faults:
    """Strikes a cluster."""

    def __init__(self, keeper: Keeper, network: Network) -> None:
        self.keeper = keeper
        self.recovered_s: list[float] = []
        """How long each killed worker took to be ready again."""
        self.bombs = 0
        """Hostile batches that the broker has taken."""
        self.hostile = 0
        """Records of hostile input."""
        self._network = network
        self.logs = LogFaults(keeper)
        self._servers = ServerFaults(keeper)
        self._by_name: dict[str, Callable[[Strike], None]] = {
            "kill": self._kill,
            "wipe": self._wipe,
            "restore": self._restore,
            "torn": self._tear,
            "zombie": self._zombie,
            "pause": self._pause,
            "broker": self._servers.broker,
            "registry": self._servers.registry,
            "storm": self._storm,
            "disk": self._disk,
            "memory": self._memory,
            "oom": self._oom,
            "freeze": self._servers.freeze,
            "drift": self._servers.drift,
            "forge": self._forge,
            "bomb": self._bomb,
            "input": self._input,
            "open_transaction": self.logs.open_transaction,
            "truncate": self.logs.truncate,
        }

    @property
    def cluster(self) -> Cluster:
        """The cluster that is struck."""
        return self.keeper.cluster

    def strike(self, strike: Strike) -> None:
        """Do one fault."""
        self._by_name[strike.fault](strike)

    def _kill(self, strike: Strike) -> None:
        self._while_dead(strike.worker, lambda folder: None)

    def _while_dead(self, number: int, damage: Callable[[Path], None]) -> None:
        """Kill a worker, damage its folder, let it come back."""
        with self.keeper.lock:
            self.keeper.kill(number)
            damage(self._folder(number))
        self.recovered_s.append(self.keeper.wait_ready(number))

    def _folder(self, number: int) -> Path:
        return self.cluster.settings.data_dir / f"worker-{number}"

    def _wipe(self, strike: Strike) -> None:
        self._while_dead(strike.worker, shutil.rmtree)

    def _restore(self, strike: Strike) -> None:
        """Take a snapshot, let the load go on, then lose the disk and go on from the snapshot."""
        number, settings = strike.worker, self.cluster.settings
        self.keeper.wait_ready(number)
        try:
            snapshot = take_now(settings, [self.cluster.url(number)])
        except Failed:
            return self._wipe(strike)  # its partitions were just moving: there is none to go on from
        time.sleep(SNAPSHOT_AGE_S)

        def put_back(folder: Path) -> None:
            shutil.rmtree(folder)
            chosen = choose(trusted_parts(settings.snapshots_dir / snapshot, snapshot_key(settings)))
            check(chosen, settings, ask_cluster(settings, [copy for _, copy in chosen]), datetime.now(UTC))
            tables = folder / TABLES
            tables.mkdir(parents=True)
            restore(chosen, tables, replace=False, on_bytes=lambda _: None)

        self._while_dead(number, put_back)

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
        time.sleep(self._past_the_session(strike))
        process.send_signal(signal.SIGCONT)
        self.keeper.wait_ready(strike.worker)

    def _past_the_session(self, strike: Strike) -> float:
        """Return a time, seconds, after which a silent worker's partitions are another's."""
        past_s = PAST_THE_SESSION_S[strike.chance % len(PAST_THE_SESSION_S)]
        return self.cluster.settings.session_timeout_s + past_s

    def _pause(self, strike: Strike) -> None:
        """Hold the bytes back for less or for more than a session, or reset the connections."""
        kind = random.Random(strike.chance).randrange(3)
        if kind == 0:
            self._network.cut(strike.worker)
        else:
            self._network.pause(strike.worker)
            time.sleep(PAUSE_S if kind == 1 else self._past_the_session(strike))
            self._network.resume(strike.worker)
        self.keeper.wait_ready(strike.worker)

    def _storm(self, strike: Strike) -> None:
        """Let workers leave and join in any order; one is always wanted."""
        chance, ends = random.Random(strike.chance), time.monotonic() + STORM_S
        regular = set(self.keeper.wanted)
        while time.monotonic() < ends:
            number = chance.randrange(STORM_WORKERS)
            with self.keeper.lock:
                if self.keeper.wanted != {number}:
                    self.keeper.wanted ^= {number}
                if number not in self.keeper.wanted and number in self.cluster.workers:
                    self.cluster.workers[number].terminate()
            time.sleep(chance.uniform(*STORM_GAP_S))
        with self.keeper.lock:
            self.keeper.wanted = regular
        for guest in self.cluster.workers.keys() - regular:
            self.cluster.terminate(guest)
        for number in sorted(regular):
            self.keeper.wait_ready(number)

    def _disk(self, strike: Strike) -> None:
        """Fill a worker's disk; it must end, end again at its start, and go on when there is space."""
        number = strike.worker
        disk = SmallDisk(self._folder(number))
        try:
            self._restart(number, disk.prefix)
            disk.fill()
            if not self.keeper.wait_dead(number, DIES_WITHIN_S):
                raise AssertionError(f"worker {number} goes on without space on its disk")
            self.keeper.wait_dead(number, DIES_WITHIN_S)
            disk.free()
            self.recovered_s.append(self.keeper.wait_ready(number))
        finally:
            self._restart(number, [])
            disk.close()

    def _restart(self, number: int, prefix: list[str]) -> None:
        """Kill a worker and start it again with the words `prefix` before its command."""
        with self.keeper.lock:
            self.cluster.prefixes[number] = prefix
            self.keeper.kill(number)
        self.keeper.wait_ready(number)

    def _memory(self, strike: Strike) -> None:
        """Let a worker's allocations fail; where it needs none for a while, it may live."""
        process = psutil.Process(self.keeper.process(strike.worker).pid)
        _, hard = process.rlimit(resource.RLIMIT_AS)
        process.rlimit(resource.RLIMIT_AS, (process.memory_info().vms + MEMORY_LEFT_BYTES, hard))
        if not self.keeper.wait_dead(strike.worker, DIES_WITHIN_S / 2):
            process.rlimit(resource.RLIMIT_AS, (hard, hard))
        self.keeper.wait_ready(strike.worker)

    def _oom(self, strike: Strike) -> None:
        """Let the kernel kill a worker that grows, and kill it again while it starts."""
        number = strike.worker
        memory = SmallMemory(f"ledgerflow-chaos-{os.getpid()}")
        try:
            self._restart(number, memory.prefix)
            deadline = time.monotonic() + DIES_WITHIN_S
            memory.squeeze()
            while not self.keeper.wait_dead(number, 1.0) and time.monotonic() < deadline:
                memory.squeeze()
            with self.keeper.lock:
                self.keeper.kill(number)
                memory.allow(STARVED_MB)
            if not self.keeper.wait_dead(number, DIES_WITHIN_S):
                raise AssertionError(f"the kernel does not kill a worker that needs over {STARVED_MB} MB")
        finally:
            self._restart(number, [])
            memory.close()
        self.recovered_s.append(self.keeper.wait_ready(number))

    def _forge(self, strike: Strike) -> None:
        """Say that payments were applied that nobody has applied; put it right once a worker has refused it.

        Where none does, it stays, and the checker has to find what is lost.
        """
        keeper, forger = self.keeper, Forger(self.cluster.settings)
        partition = strike.chance % self.cluster.settings.partitions
        with keeper.lock:
            for number in sorted(keeper.wanted):
                keeper.kill(number)
            time.sleep(UNREAD_S)
            right, refused = forger.applied("fraud", partition), keeper.exits[EXIT_CRASH]
            forger.beside("fraud", partition, right + SKIPPED)
        deadline = time.monotonic() + REFUSED_WITHIN_S
        while keeper.exits[EXIT_CRASH] == refused and not self._all_ready():
            assert time.monotonic() < deadline, "no worker refuses a forged offset, and none starts with it"
            time.sleep(LOOK_EVERY_S)
        if keeper.exits[EXIT_CRASH] > refused:
            forger.beside("fraud", partition, right)
        for number in sorted(keeper.wanted):
            keeper.wait_ready(number)

    def _bomb(self, strike: Strike) -> None:
        """Have hostile batches written among the load; whatever the broker takes must be a dead letter."""
        settings = self.cluster.settings
        self.bombs += asyncio.run(throw(settings.aiokafka(), settings.partitions, strike.chance))

    def _all_ready(self) -> bool:
        """Return whether every wanted worker answers that it is ready."""
        try:
            for number in sorted(self.keeper.wanted):
                urllib.request.urlopen(f"{self.cluster.url(number)}/ready", timeout=2).close()
        except OSError:
            return False
        return True

    def _input(self, strike: Strike) -> None:
        settings = self.cluster.settings
        hostile = Hostile(settings.librdkafka(), settings.registry(), settings.partitions)
        self.hostile += hostile.burst(strike.chance)
