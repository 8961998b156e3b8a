"""A cluster under test: its own local stack, and workers as real processes that can be killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.cli.supervisor import environment
from pipeline.loadgen.plan import history
from pipeline.loadgen.report import LoadReport
from pipeline.loadgen.run import OnProgress, run
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.access import LOAD, WORKER
from pipeline.runtime.local.credentials import ADMIN
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings
from pipeline.verify.report import Report
from pipeline.verify.verifier import verify
from tests.conftest import settings_in
from tests.progress import SILENCE_S, ended, wait_for

ROOT = Path(__file__).parents[2]
QUIET_S = 2.0


class Cluster:
    """Workers of one application on one stack, by number."""

    def __init__(self, settings: Settings, stack: LocalStack) -> None:
        self.settings = settings
        self.stack = stack
        self.workers: dict[int, subprocess.Popen[bytes]] = {}
        self.manifests: list[Path] = []
        self.program = ["-m", "topologies.worker"]
        """What Python runs as a worker."""
        self.prefixes: dict[int, list[str]] = {}
        """The words before a worker's command, where it runs in an environment of its own."""
        self.more: dict[str, str] = {}
        """Settings of all workers beside those of the cluster, by their names without the prefix."""
        self.servers: dict[int, str] = {}
        """Where a worker finds Kafka, where that is not the broker's own port."""

    def url(self, worker: int) -> str:
        """Return where a worker's views are."""
        return f"http://127.0.0.1:{self.settings.web_port + worker}"

    def settings_of(self, role: str) -> Settings:
        """Return the settings of a role; in an open stack those of the cluster."""
        return self.stack.settings_of(role) if self.stack.secure else self.settings

    def start(self, worker: int) -> None:
        """Start a worker; it need not be ready yet."""
        given = {
            "BOOTSTRAP_SERVERS": self.servers.get(worker, self.settings.bootstrap_servers),
            "SCHEMA_REGISTRY_URL": self.settings.schema_registry_url,
            "DATA_DIR": str(self.settings.data_dir),
            "WEB_PORT": str(self.settings.web_port),
            "WORKERS": "2",
            **self.more,
        }
        login = environment(self.settings_of(WORKER)) if self.stack.secure else {}
        said = {f"LEDGERFLOW_{name}": value for name, value in given.items()}
        with self.log(worker).open("a") as log:
            self.workers[worker] = subprocess.Popen(
                [*self.prefixes.get(worker, []), sys.executable, *self.program, "--worker", str(worker)],
                cwd=ROOT,
                env={**os.environ, **login, **said},
                stderr=log,
                stdout=log,
            )

    def log(self, worker: int) -> Path:
        """Return the file that a worker's log goes to."""
        return self.settings.data_dir / f"worker-{worker}.log"

    def wait_ready(self, worker: int, silence_s: float = SILENCE_S) -> float:
        """Wait until a worker is ready, for as long as its log grows; return how long it took, seconds."""
        started, log = time.monotonic(), self.log(worker)

        def answers() -> bool:
            assert self.workers[worker].poll() is None, f"worker {worker} ended: {log.read_text()[-2000:]}"
            try:
                with urllib.request.urlopen(f"{self.url(worker)}/ready", timeout=2):
                    return True
            except (urllib.error.URLError, OSError):
                return False

        wait_for(
            answers,
            f"worker {worker}, see {log}",
            lambda: log.stat().st_size if log.exists() else 0,
            silence_s,
        )
        return time.monotonic() - started

    def kill(self, worker: int, *, wipe: bool = False) -> None:
        """End a worker with SIGKILL; with `wipe`, throw its tables away."""
        process = self.workers.pop(worker)
        process.kill()
        ended(process)
        if wipe:
            shutil.rmtree(self.settings.data_dir / f"worker-{worker}")

    def terminate(self, worker: int) -> int:
        """End a worker with SIGTERM and return its exit code."""
        process = self.workers.pop(worker)
        process.terminate()
        return ended(process)

    def stop(self) -> None:
        """End every worker."""
        for worker in list(self.workers):
            self.kill(worker)

    def load(
        self, seed: int, payments: int, rate: float | None = None, on_progress: OnProgress | None = None
    ) -> LoadReport:
        """Produce a seeded history with everything planted; the manifest is kept for `verify`."""
        manifest = self.settings.data_dir / f"planted-{seed}.jsonl"
        plan = history(seed=seed, count=payments, now=int(time.time() * 1_000_000), accounts=200)
        settings = self.settings_of(LOAD)
        report = run(
            plan,
            settings.librdkafka(),
            settings.registry(),
            rate=rate,
            manifest_path=manifest,
            await_accounts_s=SILENCE_S,
            on_progress=on_progress,
        )
        self.manifests.append(manifest)
        return report

    def verify(self, quiet_s: float = QUIET_S, timeout_s: float = 120.0) -> Report:
        """Check every invariant from the topics and from the views of the running workers.

        `quiet_s`: for how long nothing must have grown before; `timeout_s`: how long streams that do not get
        on are waited for.
        """
        return verify(
            self.settings.librdkafka(),
            self.settings.registry(),
            self.manifests,
            [self.url(worker) for worker in sorted(self.workers)],
            wait_quiet_s=quiet_s,
            timeout_s=timeout_s,
        )


class Loading:
    """A load that goes on beside what a test does."""

    def __init__(self, cluster: Cluster, seed: int, payments: int, rate: float | None = None) -> None:
        self._payments = 0
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(cluster, seed, payments, rate))
        self._thread.start()

    def _run(self, cluster: Cluster, seed: int, payments: int, rate: float | None) -> None:
        try:
            cluster.load(seed, payments, rate, self._show)
        except BaseException as error:
            self._failed = error

    def _show(self, report: LoadReport) -> None:
        self._payments = report.payments

    def wait_for_more(self, payments: int) -> None:
        """Wait until so many more payments are produced, or the load has ended."""
        wanted = self._payments + payments
        wait_for(
            lambda: self._payments >= wanted or not self._thread.is_alive(),
            f"{wanted} payments",
            lambda: self._payments,
        )

    def join(self) -> None:
        """Wait until it has ended; raise what it has raised."""
        self._thread.join()
        if self._failed is not None:
            raise self._failed


def problems(report: Report) -> list[str]:
    """Return what a report holds against the cluster, a line each."""
    return [f"{check.name}: {problem}" for check in report.checks for problem in check.problems]


@contextmanager
def cluster_in(
    folder: Path, kind: type[LocalStack] = LocalStack, *, secure: bool = False
) -> Iterator[Cluster]:
    """Run a stack with its topics and schemas, but no worker yet.

    The settings of a secure one are its administrator's.
    """
    settings = settings_in(folder).model_copy(update={"workers": 2})
    with kind(settings, secure=secure) as stack:
        settings = stack.settings_of(ADMIN)
        register_all(settings.registry())
        cluster = Cluster(settings, stack)
        try:
            yield cluster
        finally:
            cluster.stop()
            cluster.stack.stop()  # which may have taken the place of the first one
