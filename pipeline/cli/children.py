"""The processes that `up` starts beside Kafka and the registry: each with its command, log and login."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from pipeline.cli.demo_keys import DemoKeys
from pipeline.cli.endpoints import Endpoints, GatewayEndpoint, WorkerEndpoint
from pipeline.cli.gateway import COMMAND as GATEWAY_COMMAND
from pipeline.cli.load import manifest_path
from pipeline.cli.reach import worker_url
from pipeline.cli.supervisor import Child, Supervisor, answers_ready, environment
from pipeline.cli.worker import COMMAND as WORKER_COMMAND
from pipeline.gateway.identity.entrance import first_link
from pipeline.gateway.policy.reading import PolicyError, read_policy
from pipeline.runtime.kafka.access import GATEWAY, LOAD, WORKER
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings, SettingsError


class Processes:
    """The workers and the gateway of a run, which are restarted when they die."""

    def __init__(self, settings: Settings, stack: LocalStack, say: Callable[[str], None]) -> None:
        self._stack = stack
        self.worker_urls = [worker_url(settings, number) for number in range(settings.workers)]
        self.gateway_url = settings.gateway_origin()
        """Where clients find the gateway."""
        self.workers = Supervisor(self.worker_urls, lambda number: worker_child(stack, number), say)
        self.gateway = Supervisor(
            [settings.gateway_address()],
            lambda _: gateway_child(stack),
            say,
            lambda url: answers_ready(url, settings.gateway_tls()),
            what="gateways",
        )
        self._written: list[int] = []
        self._demo_keys: DemoKeys | None = None

    def first_link(self) -> str | None:
        """Return a link that makes the first administrator, None where there is one, or it cannot be made."""
        settings = self._stack.settings_of(GATEWAY)
        try:
            return first_link(settings, read_policy(settings.policy_file))
        except (OSError, PolicyError, SettingsError):  # the gateway says what is wrong with it
            return None

    @property
    def in_order(self) -> tuple[Supervisor, Supervisor]:
        """Both, as they have to be started: workers make the topics that a gateway reads."""
        return self.workers, self.gateway

    @property
    def restarts(self) -> int:
        """How often a process was started again."""
        return self.workers.restarts + self.gateway.restarts

    def start_load(self, seed: int, rate: float) -> Child:
        """Start the demo's load of so many payments per second; return it.

        Raises OSError, sqlite3.Error where it cannot be given keys.
        """
        self._demo_keys = DemoKeys(self._stack.data_dir)
        return load_child(self._stack, seed, rate, self._demo_keys)

    def check(self) -> None:
        """Restart what has died. Raises SupervisionError where a process cannot run."""
        for supervisor in self.in_order:
            supervisor.check()

    def stop(self, *, at_once: bool = False) -> None:
        """End every process but the load, the gateway first, in good order or at once, and wait."""
        if self._demo_keys is not None:
            self._demo_keys.end()
        for supervisor in reversed(self.in_order):
            supervisor.stop(at_once=at_once)

    @property
    def has_endpoints(self) -> bool:
        """Whether endpoints.json was written."""
        return bool(self._written)

    def keep_endpoints(self) -> None:
        """Write endpoints.json, and again where one of them has a new process. Raises OSError."""
        pids = self.workers.pids + self.gateway.pids
        if pids != self._written and all(pids):
            settings = self._stack.settings_of(WORKER)
            workers = tuple(map(WorkerEndpoint, pids, self.worker_urls))
            door = GatewayEndpoint(pids[-1], self.gateway_url)
            servers, registry = settings.bootstrap_servers, settings.schema_registry_url
            Endpoints(servers, registry, workers, os.getpid(), door).write(self._stack.data_dir)
            self._written = pids


def worker_child(stack: LocalStack, number: int) -> Child:
    """Start a worker of this number and return it."""
    log = stack.data_dir / "logs" / f"worker-{number}.log"
    command = [*WORKER_COMMAND, "--worker", str(number)]
    return Child(f"worker {number}", command, log, environment(stack.settings_of(WORKER)))


def gateway_child(stack: LocalStack) -> Child:
    """Start the gateway and return it."""
    log = stack.data_dir / "logs" / "gateway.log"
    return Child("the gateway", GATEWAY_COMMAND, log, environment(stack.settings_of(GATEWAY)))


def load_child(stack: LocalStack, seed: int, rate: float, keys: DemoKeys) -> Child:
    """Start the demo's load of so many payments per second, which calls the gateway, too; return it."""
    command = [sys.executable, "-m", "pipeline.cli", "load", "--endless"]
    command += ["--rate", str(rate), "--seed", str(seed)]
    command += ["--manifest", str(manifest_path(stack.data_dir, seed))]
    command += ["--gateway-key", str(keys.upstream), "--gateway-desk-key", str(keys.desk)]
    log = stack.data_dir / "logs" / "load.log"
    return Child("the load generator", command, log, environment(stack.settings_of(LOAD)))
