"""The processes that `up` runs beside the stack: workers and a gateway, restarted, and the load generator.

Each is the child of a guardian (runtime/local/guardian.py), so it ends when `up` does, even if that is
killed. A worker that dies is restarted, at once the first time, then after growing pauses; one that dies more
than CRASHES_MAX times within CRASHES_WITHIN_S seconds ends the run, unless it dies at one record again and
again: then Kafka must stay up for an operator, who can quarantine the record. A gateway is restarted the same
way. Start children from the main thread, and call `check` often.
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from pipeline.cli.worker_answers import body_of
from pipeline.runtime.at_work import STUCK_FROM, Work, left_in
from pipeline.runtime.exit_codes import EXIT_BAD_SETTING, EXIT_TOPICS
from pipeline.runtime.local import guardian
from pipeline.runtime.settings import ENV_PREFIX, Settings

CRASHES_MAX = 5
CRASHES_WITHIN_S = 60.0
READY_WITHIN_S = 120.0
REPAIRED_WITHIN_S = 3600.0
"""The same where a worker refuses the topics: they can be repaired only while Kafka runs."""
PAUSE_FIRST_S = 0.25
PAUSE_MAX_S = 8.0
_READY_ASKED_EVERY_S = 0.25
_READY_ANSWER_WITHIN_S = 1.0
_TAIL_BYTES = 16_384


class SupervisionError(RuntimeError):
    """A process that the run needs cannot run. The text is for the user."""


class Child:
    """One process under its guardian."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", guardian.__file__, str(log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**_without_settings(os.environ), **environ},
            start_new_session=True,
        )
        assert self._guardian.stdout is not None
        self.pid = int(self._guardian.stdout.readline() or 0)

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._guardian.poll()

    def ask_to_end(self) -> None:
        """Send SIGTERM. Does not wait, and no SIGKILL follows."""
        if self.exit_code() is None and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def end(self) -> None:
        """End it: SIGTERM, and SIGKILL after the guardian's grace period. Does not wait."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()

    def kill(self) -> None:
        """End it at once: SIGKILL. Does not wait."""
        if self.exit_code() is None and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.end()

    def wait(self) -> int:
        """Wait until it has ended; return the exit code."""
        return self._guardian.wait()

    def why_it_ended(self) -> str:
        """Return in one line why it ended: the signal or its last line of output, and its log's path."""
        if (name := guardian.killed_by(self.wait())) is not None:
            return f"{name} (log: {self.log})"
        with self.log.open("rb") as file:
            file.seek(max(self._log_start, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
        return f"{said} (log: {self.log})"


@dataclass
class Worker:
    """A worker: its number, the URL of its views, and its process; None while it waits for a restart."""

    number: int
    url: str
    child: Child | None = None
    ready: bool = False
    lists: tuple[str, ...] = ()
    """Paths of its views that list rows of a tenant, from its index; empty until it is ready."""
    start_at: float = 0.0
    asked_at: float = 0.0
    refused: str = ""
    """Why it does not start, where that has to be put right at the topics."""
    troubled: bool = False
    """Whether it says that something keeps it from its work."""
    crashes: deque[float] = field(default_factory=deque)
    deaths: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """How often in a row it died at a topic, partition and first offset."""

    @property
    def state(self) -> str:
        """Return its state in one word."""
        if self.child is None:
            return "down"
        if not self.ready:
            return "recovering"
        return "not ready" if self.troubled else "ready"


class Supervisor:
    """Keeps workers running, or gateways, as `what` says.

    `spawn` starts the process of a worker; `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        urls: Sequence[str],
        spawn: Callable[[int], Child],
        say: Callable[[str], None],
        is_ready: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        what: str = "workers",
    ) -> None:
        self._what = what
        self.workers = [Worker(number, url) for number, url in enumerate(urls)]
        self.restarts = 0
        self._started = False
        self._spawn = spawn
        self._say = say
        self._is_ready = is_ready or answers_ready
        self._lists_of = lists_of if is_ready is None else lambda url: ()
        self._clock = clock

    @property
    def all_ready(self) -> bool:
        """Whether every worker runs and has restored its tables."""
        return all(worker.ready for worker in self.workers)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers; 0 for one that is being restarted."""
        return [0 if worker.child is None else worker.child.pid for worker in self.workers]

    def start(self) -> None:
        """Start every worker."""
        self._started = True
        for worker in self.workers:
            worker.child = self._spawn(worker.number)

    def check(self) -> None:
        """Restart dead workers; ask those that are not ready yet. Does nothing before `start`.

        Raises SupervisionError where a worker cannot run: bad settings, or too many crashes.
        """
        for worker in self.workers if self._started else ():
            now = self._clock()
            if worker.child is None:
                if now >= worker.start_at:
                    worker.child = self._spawn(worker.number)
                    self.restarts += 1
            elif (code := worker.child.exit_code()) is not None:
                self._died(worker, worker.child, code, now)
            elif not worker.ready and now - worker.asked_at >= _READY_ASKED_EVERY_S:
                worker.asked_at = now
                worker.ready = self._is_ready(worker.url)
                worker.refused = "" if worker.ready else worker.refused
                worker.lists = self._lists_of(worker.url) if worker.ready else ()

    def _died(self, worker: Worker, child: Child, code: int, now: float) -> None:
        worker.child, worker.ready = None, False
        if code == EXIT_TOPICS:
            self._refused(worker, child, now)
            return
        crashes = worker.crashes
        crashes.append(now)
        while now - crashes[0] > CRASHES_WITHIN_S:
            crashes.popleft()
        said = f"{child.name} ended with exit code {code}"
        if code == EXIT_BAD_SETTING:
            raise SupervisionError(f"{said}: {child.why_it_ended()}")
        stuck = self._stuck(worker, child)
        if len(crashes) > CRASHES_MAX and not stuck:
            raise SupervisionError(
                f"{said}, {len(crashes)} times within {CRASHES_WITHIN_S:.0f} s: {child.why_it_ended()}"
            )
        pause = 0.0 if len(crashes) == 1 else min(PAUSE_FIRST_S * 2 ** (len(crashes) - 2), PAUSE_MAX_S)
        for work in stuck:
            self._say(
                f"{child.name} died again at {work}, {worker.deaths[work[:3]]} times in a row: a record there"
                f" may be the cause. `ledgerflow quarantine {work} --reason TEXT` makes it a dead letter"
            )
        worker.start_at = now + pause
        self._say(
            f"{said}; starting it again" + (f" in {pause:.2g} s" if pause else "") + f" (log: {child.log})"
        )

    def _refused(self, worker: Worker, child: Child, now: float) -> None:
        """Note that a worker does not start with the topics as they are, and say it once; it tries again."""
        why = child.why_it_ended()
        if why != worker.refused:
            self._say(f"{child.name} does not start, and tries again: {why}")
        worker.refused, worker.start_at = why, now + PAUSE_MAX_S

    def require_ready(self, waited_s: float, logs: Path) -> None:
        """Raises SupervisionError where the workers are not ready, and have had the time for it."""
        refused = any(worker.refused for worker in self.workers)
        within_s = REPAIRED_WITHIN_S if refused else READY_WITHIN_S
        if waited_s > within_s and not self.all_ready:
            states = ", ".join(f"{worker.number} {worker.state}" for worker in self.workers)
            raise SupervisionError(f"not ready within {within_s:.0f} s ({self._what}: {states}): see {logs}")

    @staticmethod
    def _stuck(worker: Worker, child: Child) -> list[Work]:
        """Count where a worker has died; return the places where it did so again and again.

        Its folder stands beside that of the logs, and has its log's name.
        """
        left = left_in(child.log.parent.parent / child.log.stem)
        worker.deaths = {work[:3]: worker.deaths.get(work[:3], 0) + 1 for work in left}
        return [work for work in left if worker.deaths[work[:3]] >= STUCK_FROM]

    def stop(self, *, at_once: bool = False) -> None:
        """End every worker, in good order or at once, and wait. Does nothing if none runs."""
        running = [worker.child for worker in self.workers if worker.child is not None]
        for child in running:
            if at_once:
                child.kill()
            else:
                child.end()
        for child in running:
            child.wait()
        for worker in self.workers:
            worker.child, worker.ready = None, False


def answers_ready(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Return whether a worker has restored its tables, be it that something keeps it from its work."""
    body = body_of(f"{url}/ready", _READY_ANSWER_WITHIN_S, tls)
    return body is not None and body.get("status") in ("ready", "problems")


def lists_of(url: str) -> tuple[str, ...]:
    """Return the paths of a worker's index that list rows of a tenant; none where it does not answer."""
    body = body_of(f"{url}/", _READY_ANSWER_WITHIN_S) or {}
    return tuple(path.partition("?")[0] for path in body.get("pages", ()) if "?tenant=" in path)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without our settings: a child is given its own, and no other one's secrets."""
    ours = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    return {name: value for name, value in environ.items() if name not in ours}


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings as environment variables, for a child process."""
    found = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):  # empty where it stands in a file: the child reads that itself
            value = value.get_secret_value()
        if isinstance(value, Path):
            value = value.expanduser().absolute()
        if value is not None and value != "":
            found[f"{ENV_PREFIX}{name.upper()}"] = str(value)
    return found
