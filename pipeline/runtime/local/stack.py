"""The local stack: a real Kafka broker and schema registry as child processes; no Docker, no Java needed.

    stack = LocalStack(settings)
    stack.start()          # returns when both answer; raises StackError with the end of the log otherwise
    stack.check()          # raises StackError if a part died since
    stack.stop()           # Kafka closes its log; nothing is left running

The data directory is kept, and a later start continues with it. The processes end with this one, however it
ends (see guardian.py). `python -m pipeline.runtime.local.stack --data DIR` runs a stack in the foreground.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
from confluent_kafka import KafkaException

from pipeline.runtime.addresses import unusable
from pipeline.runtime.local import guardian
from pipeline.runtime.local.answers import broker_answers, registry_answers
from pipeline.runtime.local.artifacts import ArtifactError, Progress, require_java
from pipeline.runtime.local.artifacts import programs as fetch_programs
from pipeline.runtime.local.programs import broker_commands, registry_command
from pipeline.runtime.local.secure import FormError, SecureForm, form_of
from pipeline.runtime.private_files import private_directory
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings

READY_WITHIN_S = 120.0
FORMATTED_WITHIN_S = 60.0
_POLL_S = 0.1
_TAIL_LINES = 15


class StackError(RuntimeError):
    """The local stack cannot start, or a part of it died. The text is for the user."""


@dataclass
class _Part:
    """One Java process under its guardian."""

    name: str
    log: Path
    guardian: subprocess.Popen[str]
    pid: int

    def tail(self) -> str:
        """Return the last lines of the part's log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines)

    def raise_if_dead(self) -> None:
        """Raises StackError with the end of the log where the process has ended."""
        if (code := self.guardian.poll()) is not None:
            ended = f"{self.name} ended with exit code {code}"
            if (name := guardian.killed_by(code)) is not None:  # its log does not know why
                raise StackError(f"{ended} ({name}; log: {self.log})")
            raise StackError(f"{ended}; the end of {self.log}:\n{self.tail()}")


@dataclass
class LocalStack:
    """Kafka and the registry on one data directory; one owner at a time."""

    settings: Settings
    progress: Progress | None = None
    """Called with the progress of a first run's downloads."""
    secure: bool = False
    """With TLS, logins and rights by role (secure.py)."""
    migrate: bool = False
    """Make an open data directory a secure one."""

    _form: SecureForm | None = field(default=None, init=False)
    _parts: list[_Part] = field(default_factory=list, init=False)
    _lock: IO[str] | None = field(default=None, init=False)

    @property
    def data_dir(self) -> Path:
        """The data directory, absolute."""
        return self.settings.data_dir.expanduser().absolute()

    @property
    def bootstrap_servers(self) -> str:
        """Where the broker listens."""
        return f"127.0.0.1:{self.settings.kafka_port}"

    @property
    def schema_registry_url(self) -> str:
        """Where the registry answers in Confluent's API."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://127.0.0.1:{self.settings.registry_port}/apis/ccompat/v7"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the Java processes by part (`kafka`, `registry`)."""
        return {part.name: part.pid for part in self._parts}

    def settings_of(self, role: str) -> Settings:
        """Return the settings of a role of a stack that was started; of an open one all have the same."""
        return self.settings if self._form is None else self._form.settings_of(role)

    def start(self) -> None:
        """Start both parts, wait until they answer.

        Raises StackError, ArtifactError, or SettingsError for a directory of another user; then nothing runs.
        """
        try:
            self._own_data_dir()
            self._refuse_taken_ports()
            require_java()
            self._form = self._choose_form()
            programs = fetch_programs(self.settings.cache_dir.expanduser(), self.progress)
            here = self.settings, self.data_dir, programs, self._form
            format_storage, broker = broker_commands(*here)
            registry = self._launch("registry", registry_command(*here))
            if format_storage is not None:
                self._format(format_storage)
            kafka = self._launch("kafka", broker)
            deadline = time.monotonic() + READY_WITHIN_S
            self._await(kafka, lambda: broker_answers(self.settings, self._form), deadline)
            self._set_up_form()
            self._await(registry, lambda: registry_answers(self.settings, self._form), deadline)
        except BaseException:  # Ctrl-C too: whatever stops a start, nothing may stay behind
            self.stop()
            raise

    def stop(self) -> None:
        """End both parts in good order and wait for it; harmless when nothing runs."""
        for part in self._parts:
            assert part.guardian.stdin is not None
            part.guardian.stdin.close()
        for part in self._parts:
            part.guardian.wait()
        self._parts.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def check(self) -> None:
        """Raises StackError where a part has died."""
        for part in self._parts:
            part.raise_if_dead()

    def __enter__(self) -> LocalStack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _own_data_dir(self) -> None:
        """Take the data directory's lock, which the guardians share until the last one ends."""
        private_directory(self.data_dir)
        private_directory(self.data_dir / "logs")
        lock = (self.data_dir / "lock").open("a+")
        deadline = time.monotonic() + guardian.GRACE_S + 5
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
                # An owner that was killed leaves guardians that are just ending its processes: wait.
                if _is_alive(owner) or time.monotonic() > deadline:
                    lock.close()
                    raise StackError(
                        f"another stack (process {owner or 'unknown'}) uses {self.data_dir}: stop it, or"
                        f" choose another directory (--data, {ENV_PREFIX}DATA_DIR)"
                    ) from None
                time.sleep(_POLL_S)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _refuse_taken_ports(self) -> None:
        inner = ("internal_port",) if self.secure else ()
        for name in ("kafka_port", "controller_port", "registry_port", *inner):
            port = getattr(self.settings, name)
            if reason := unusable("127.0.0.1", port):
                raise StackError(f"port {port} cannot be used ({reason}): set {ENV_PREFIX}{name.upper()}")

    def _choose_form(self) -> SecureForm | None:
        """Raises StackError where the data directory has the other form."""
        try:
            return form_of(self.settings, self.data_dir, self.secure, self.migrate)
        except FormError as error:
            raise StackError(str(error)) from None

    def _set_up_form(self) -> None:
        """Make the users and rights of a secure stack. Raises StackError."""
        if self._form is None:
            return
        try:
            self._form.set_up()
        except KafkaException as error:
            raise StackError(f"Kafka does not take its users and rights: {error.args[0].str()}") from None

    def _format(self, command: list[str]) -> None:
        """Give a new broker its storage; once per data directory."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FORMATTED_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise StackError(f"Kafka did not format its storage within {FORMATTED_WITHIN_S:.0f} s") from None
        if done.returncode != 0:
            raise StackError(f"Kafka cannot format its storage:\n{done.stdout}{done.stderr}")

    def _launch(self, name: str, command: list[str]) -> _Part:
        """Start one part under a guardian that holds a share of the data directory's lock."""
        assert self._lock is not None
        log = self.data_dir / "logs" / f"{name}.log"
        process = subprocess.Popen(
            [sys.executable, "-I", guardian.__file__, str(log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.data_dir,
            env={name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)},
            start_new_session=True,
            pass_fds=[self._lock.fileno()],
        )
        assert process.stdout is not None
        part = _Part(name, log, process, pid=0)
        self._parts.append(part)
        part.pid = int(process.stdout.readline() or 0)
        return part

    def _await(self, part: _Part, answers: Callable[[], bool], deadline: float) -> None:
        """Wait until a part answers. Raises StackError with the end of its log where it does not."""
        while not answers():
            part.raise_if_dead()
            if time.monotonic() > deadline:
                raise StackError(
                    f"{part.name} did not answer within {READY_WITHIN_S:.0f} s;"
                    f" the end of {part.log}:\n{part.tail()}"
                )
            time.sleep(_POLL_S)


def _is_alive(pid: str) -> bool:
    """Return whether a process with that id runs; one that has ended and was not yet waited for does not."""
    try:
        return bool(psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE)
    except (ValueError, psutil.NoSuchProcess):
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run a stack in the foreground until SIGINT or SIGTERM, or until a part dies (exit code 1)."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.runtime.local.stack", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", dest="data_dir", type=Path, help="data directory")
    parser.add_argument("--secure", action="store_true", help="with TLS, logins and rights by role")
    for name in ("kafka", "controller", "internal", "registry"):
        parser.add_argument(f"--{name}-port", type=int)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C, also while it starts
    try:
        given = vars(parser.parse_args(arguments))
        secure = given.pop("secure")
        with LocalStack(load_settings(**given), secure=secure) as stack:
            print(f"ready {stack.bootstrap_servers} {stack.schema_registry_url} {stack.pids}", flush=True)
            while True:
                time.sleep(1.0)
                stack.check()
    except KeyboardInterrupt:
        return 0
    except (SettingsError, StackError, ArtifactError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
