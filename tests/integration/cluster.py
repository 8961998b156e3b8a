"""A cluster under test: its own local stack, and workers as real processes that can be killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.loadgen.plan import history
from pipeline.loadgen.run import LoadReport, run
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings
from pipeline.verify.report import Report
from pipeline.verify.verifier import verify
from tests.conftest import settings_in

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0


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
        environment = {**os.environ, **{f"LEDGERFLOW_{name}": value for name, value in given.items()}}
        with self.log(worker).open("a") as log:
            self.workers[worker] = subprocess.Popen(
                [*self.prefixes.get(worker, []), sys.executable, *self.program, "--worker", str(worker)],
                cwd=ROOT,
                env=environment,
                stderr=log,
                stdout=log,
            )

    def log(self, worker: int) -> Path:
        """Return the file that a worker's log goes to."""
        return self.settings.data_dir / f"worker-{worker}.log"

    def wait_ready(self, worker: int, within_s: float = READY_WITHIN_S) -> float:
        """Wait until a worker is ready; return how long it took, seconds."""
        started = time.monotonic()
        while time.monotonic() - started < within_s:
            if self.workers[worker].poll() is not None:
                raise AssertionError(f"worker {worker} ended: {self.log(worker).read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"{self.url(worker)}/ready", timeout=2):
                    return time.monotonic() - started
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(
            f"worker {worker} is not ready after {within_s} s: {self.log(worker).read_text()[-2000:]}"
        )

    def kill(self, worker: int, *, wipe: bool = False) -> None:
        """End a worker with SIGKILL; with `wipe`, throw its tables away."""
        process = self.workers.pop(worker)
        process.kill()
        process.wait(STOPS_WITHIN_S)
        if wipe:
            shutil.rmtree(self.settings.data_dir / f"worker-{worker}")

    def terminate(self, worker: int) -> int:
        """End a worker with SIGTERM and return its exit code."""
        process = self.workers.pop(worker)
        process.terminate()
        return process.wait(STOPS_WITHIN_S)

    def stop(self) -> None:
        """End every worker."""
        for worker in list(self.workers):
            self.kill(worker)

    def load(self, seed: int, payments: int, rate: float | None = None) -> LoadReport:
        """Produce a seeded history with everything planted; the manifest is kept for `verify`."""
        manifest = self.settings.data_dir / f"planted-{seed}.jsonl"
        plan = history(seed=seed, count=payments, now=int(time.time() * 1_000_000), accounts=200)
        report = run(
            plan,
            self.settings.bootstrap_servers,
            self.settings.schema_registry_url,
            rate=rate,
            manifest_path=manifest,
            await_accounts_s=60.0,
        )
        self.manifests.append(manifest)
        return report

    def verify(self, quiet_s: float = 4.0) -> Report:
        """Check every invariant from the topics and from the views of the running workers.

        `quiet_s`: how long nothing must have moved before. After a worker has left it must be longer than the
        session timeout, in which its partitions rest.
        """
        return verify(
            self.settings.bootstrap_servers,
            self.settings.schema_registry_url,
            self.manifests,
            [self.url(worker) for worker in sorted(self.workers)],
            wait_quiet_s=quiet_s,
        )


def problems(report: Report) -> list[str]:
    """Return what a report holds against the cluster, a line each."""
    return [f"{check.name}: {problem}" for check in report.checks for problem in check.problems]


@contextmanager
def cluster_in(folder: Path, kind: type[LocalStack] = LocalStack) -> Iterator[Cluster]:
    """Run a stack with its topics and schemas, but no worker yet."""
    settings = settings_in(folder).model_copy(update={"workers": 2})
    with kind(settings) as stack:
        register_all(settings.schema_registry_url)
        cluster = Cluster(settings, stack)
        try:
            yield cluster
        finally:
            cluster.stop()
            cluster.stack.stop()  # which may have taken the place of the first one
