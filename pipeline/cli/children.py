"""The processes that `up` starts beside Kafka and the registry: each with its command, log and login."""

from __future__ import annotations

import sys

from pipeline.cli.load import manifest_path
from pipeline.cli.supervisor import Child, environment
from pipeline.cli.worker import COMMAND as WORKER_COMMAND
from pipeline.runtime.kafka.access import LOAD, WORKER
from pipeline.runtime.local.stack import LocalStack


def worker_child(stack: LocalStack, number: int) -> Child:
    """Start a worker of this number and return it."""
    log = stack.data_dir / "logs" / f"worker-{number}.log"
    command = [*WORKER_COMMAND, "--worker", str(number)]
    return Child(f"worker {number}", command, log, environment(stack.settings_of(WORKER)))


def load_child(stack: LocalStack, seed: int, rate: float) -> Child:
    """Start the demo's load of so many payments per second, and return it."""
    command = [sys.executable, "-m", "pipeline.cli", "load", "--endless"]
    command += ["--rate", str(rate), "--seed", str(seed)]
    command += ["--manifest", str(manifest_path(stack.data_dir, seed))]
    log = stack.data_dir / "logs" / "load.log"
    return Child("the load generator", command, log, environment(stack.settings_of(LOAD)))
